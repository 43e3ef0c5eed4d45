/** What a shell command does, by its programs. */
import type { Leaf } from '../flatten.ts';
import { splitName } from './words.ts';

const shellTools = new Set(['bash', 'sh', 'shell', 'zsh', 'terminal', 'powershell', 'cmd']);
const looking =
  /^(ls|cat|grep|rg|egrep|find|head|tail|wc|pwd|which|type|file|stat|du|df|ps|env|printenv|less|more|tree|diff|sort|uniq|cut|awk|strings|xxd|hexdump|objdump|readelf|nm|git (status|diff|log|show|branch|blame|ls-files|grep)|npm (ls|view)|date|whoami|id|uname|echo|jq|sed -n|true)\b/;
const running =
  /^(python3?|node|npm (test|run)|npx|pytest|go (test|run)|ctest|tox|jest|vitest|\.\/\S+|timeout|ruby|perl|java)\b/;
const altering =
  /^(rm|mv|cp|mkdir|touch|chmod|chown|ln|tee|patch|git (add|commit|checkout|reset|stash|apply|merge|rebase|push|pull|rm|mv|restore|clean)|pip3? install|apt|apt-get|npm (i|ci|install|uninstall)|sed -i|kill|pkill|unzip|tar|wget|curl|conda|export)\b/;

export function isShell(tool: string, args: readonly Leaf[]): boolean {
  const words = splitName(tool);
  return words.some((word) => shellTools.has(word)) && args.some((leaf) => leaf.value.length > 1);
}

export function shellEffect(command: string): 'reads' | 'changes' | 'unclear' {
  const parts = command
    .split(/&&|\|\||;|\n/)
    .map((part) => part.trim().replace(/^(cd \S+|sudo )\s*/, ''))
    .filter((part) => part !== '');
  if (parts.some((part) => altering.test(part) || /(^|[^>\d&])>{1,2}(?![&>]) ?(?!\/dev\/null)\S/.test(part)))
    return 'changes';
  if (parts.length > 0 && parts.every((part) => looking.test(part) || running.test(part))) return 'reads';
  return 'unclear';
}
