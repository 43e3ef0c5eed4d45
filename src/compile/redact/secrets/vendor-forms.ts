/**
 * Forms of keys and tokens as their vendors document them: a prefix that nothing else begins with, or a shape that
 * nothing else has. Found wherever they stand, so each is certain.
 *
 * Every pattern is sticky and has no two ways to read the same characters.
 */
import type { Kind } from '../kinds.ts';

interface VendorForm {
  kind: Kind;
  /** The two characters that each spelling begins with. */
  starts: readonly string[];
  pattern: RegExp;
}

export interface FormMatch {
  kind: Kind;
  from: number;
  to: number;
}

const key = (starts: string, pattern: RegExp): VendorForm => ({
  kind: 'API_KEY',
  starts: starts.split(' '),
  pattern: new RegExp(`(?:${pattern.source})(?![A-Za-z0-9])`, 'y'),
});

/** RFC 7519: header, claims, signature; RFC 7516 has five parts. One whose claims were cut off is known by its header. */
const webToken: VendorForm = {
  kind: 'JWT',
  starts: ['ey'],
  pattern: /eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}|ey(?:JhbGciOi|J0eXAiOi|JraWQiOi)[\w-]*/y,
};

const prefixed: readonly VendorForm[] = [
  webToken,
  // Clouds: AWS IAM identifiers, Bedrock; Google API keys, OAuth; Azure has shapes, see below; Alibaba, Tencent.
  key('AK AS AB AC', /(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}/),
  key('AB', /ABSK[A-Za-z0-9+/]{100,}={0,2}/),
  key('AI', /AIza[\w-]{35}/),
  key('AQ', /AQ\.Ab[\w-]{30,}/),
  key('ya', /ya29\.[\w.-]{20,}/),
  key('GO', /GOCSPX-[\w-]{28}/),
  key('1/', /1\/\/0[\w-]{20,}/),
  key('LT', /LTAI[A-Za-z0-9]{12,24}/),
  key('AK', /AKID[A-Za-z0-9]{32}/),
  key('do', /do[opr]_v1_[a-f0-9]{64}/),
  key('cf', /cf(?:ut|at|k)_[\w-]{40,}/),
  key('v1', /v1\.0-[a-f0-9]{24}-[a-f0-9]{146}/),
  key('HR', /HRKU-[\w-]{36,}/),
  key('Fl', /FlyV1 fm[12][ar]?_[A-Za-z0-9+/=,_-]{50,}/),
  key('tf nf', /(?:tfp|nfp)_[\w-]{30,}/),
  // Code hosts, packages, builds.
  key('gh', /gh[pousr]_[A-Za-z0-9][\w.-]{34,}/),
  key('gi', /github_pat_\w{22,}/),
  key('gl', /gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt|ffct|wt)-[\w.=-]{20,}/),
  key('GR', /GR1348941[\w-]{20,}/),
  key('AT', /AT(?:ATT3|CTT3)[\w=-]{100,}|ATBB[A-Za-z0-9]{32,}/),
  key('np', /npm_[A-Za-z0-9]{36}/),
  key('py', /pypi-AgE[\w-]{50,}/),
  key('ru', /rubygems_[a-f0-9]{48}/),
  key('dc', /dckr_(?:pat|oat)_[\w-]{27,}/),
  key('CC', /CCIPAT_[\w-]{40,}/),
  key('pu', /pul-[a-f0-9]{40}/),
  key('sg', /sgp_(?:[a-f0-9]{16}_)?[a-f0-9]{40}/),
  // Models.
  key('sk', /sk-ant-[a-z]{3,8}\d{2}-[\w-]{20,}/),
  key('sk', /sk-(?:proj|svcacct|admin|None)-[\w-]{20,}/),
  key('sk', /sk-(?:or-v1-)?[A-Za-z0-9]{32,}/),
  key('hf', /hf_[A-Za-z0-9]{34,}/),
  key('ap', /api_org_[A-Za-z0-9]{34}/),
  key('gs', /gsk_[A-Za-z0-9]{48,}/),
  key('xa', /xai-[A-Za-z0-9]{70,}/),
  key('pp', /pplx-[A-Za-z0-9]{40,}/),
  key('r8', /r8_[A-Za-z0-9]{37}/),
  key('ls', /lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}/),
  // Payments and shops.
  key('sk rk', /[sr]k_(?:live|test)_[A-Za-z0-9]{16,}/),
  key('wh', /whsec_[A-Za-z0-9+/]{24,}={0,2}/),
  key('sh', /shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}/),
  key('EA', /EAAA[\w-]{60}/),
  key('sq', /sq0(?:atp|csp|idp)-[\w-]{22,43}/),
  key('rz', /rzp_(?:live|test)_[A-Za-z0-9]{14,}/),
  // Messages and mail.
  key('xo', /xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}/),
  key('xa', /xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}/),
  key('SG', /SG\.[\w-]{22}\.[\w-]{43}/),
  key('SK', /SK[a-f0-9]{32}/),
  key('ke', /key-[a-f0-9]{32}/),
  key('xk', /xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}/),
  key('re', /re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}/),
  key('EA', /EAA[A-Za-z0-9]{90,}/),
  // Databases, observability, infrastructure, documents.
  key('sb', /sb_secret_[\w-]{20,}|sbp_(?:v0_)?[a-f0-9]{40}/),
  key('ps', /pscale_(?:tkn|pw|oauth)_[\w=.-]{32,}/),
  key('na', /napi_[a-z0-9]{40,}/),
  key('da', /dapi[a-f0-9]{32}(?:-\d)?/),
  key('gl', /glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_eyJ[A-Za-z0-9+/=]{30,}/),
  key('sn', /sntrys_eyJ[\w+/=-]{40,}|sntryu_[a-f0-9]{64}/),
  key('NR', /NRAK-[A-Z0-9]{27}/),
  key('hv', /hv[bsr]\.[\w-]{24,}/),
  key('dp', /dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,}/),
  key('ts', /tskey-(?:auth|api|client|scim|webhook)-[\w-]{20,}/),
  key('AG', /AGE-SECRET-KEY-1[0-9A-Z]{58}/),
  key('op', /ops_eyJ[\w+/=-]{100,}/),
  key('PM', /PMAK-[a-f0-9]{24}-[a-f0-9]{34}/),
  key('li', /lin_(?:api|oauth)_[A-Za-z0-9]{40,}/),
  key('nt', /ntn_[A-Za-z0-9]{40,}/),
  key('pa', /pat[A-Za-z0-9]{14}\.[a-f0-9]{64}/),
  key('fi', /figd_[\w-]{40,}/),
  key('CF', /CFPAT-[\w-]{43}/),
  key('sl', /sl\.(?:u\.)?[\w-]{100,}/),
  key('AK', /AKCp[A-Za-z0-9]{69,}/),
];

/** Of words by their length and what follows: forms without a prefix of their own. */
const telegram = /\d{8,10}:AA[\w-]{33}(?![\w-])/y;
const discord = /[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])/y;
const terraform = /[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}/y;
const entraSecret = /[\w-]{3}\dQ~[\w.~-]{31,34}(?![\w.~-])/y;
const mailchimp = /[a-f0-9]{32}-us\d{1,2}(?![\w-])/y;
const mailgun = /[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}(?![\w-])/y;
const azureDevOps = /[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![\w-])/y;

const colon = 58;
const dot = 46;
const tilde = 126;

/** @param to end of the word, letters, digits, `_` and `-`, that begins at `from` */
export function shapedFormAt(text: string, from: number, to: number): FormMatch | null {
  const length = to - from;
  const next = text.charCodeAt(to);
  if (next === colon && length >= 8 && length <= 10) return matchAt(telegram, text, from);
  if (next === dot && length === 14) return matchAt(terraform, text, from);
  if (next === dot && length >= 24 && length <= 28) return matchAt(discord, text, from);
  if (next === tilde && length >= 5) return matchAt(entraSecret, text, to - 5);
  if (length === 36 || length === 37) return matchAt(mailchimp, text, from);
  if (length === 50) return matchAt(mailgun, text, from);
  if (length === 84) return matchAt(azureDevOps, text, from);
  return null;
}

function matchAt(pattern: RegExp, text: string, from: number): FormMatch | null {
  pattern.lastIndex = from;
  return pattern.test(text) ? { kind: 'API_KEY', from, to: pattern.lastIndex } : null;
}

const asciiRange = 128;
const slotOf = (first: number, second: number) => first * asciiRange + second;

/** By the first two characters: 0 for none, else one more than the index in `formsOfSlot`. */
const slots = new Uint8Array(asciiRange * asciiRange);
const formsOfSlot: VendorForm[][] = [];

for (const form of prefixed) {
  for (const start of form.starts) {
    const slot = slotOf(start.charCodeAt(0), start.charCodeAt(1));
    if (slots[slot] === 0) slots[slot] = formsOfSlot.push([]);
    formsOfSlot[slots[slot]! - 1]!.push(form);
  }
}

/** What begins at a place that no letter or digit stands before. */
export function prefixedFormAt(text: string, at: number): FormMatch | null {
  const first = text.charCodeAt(at);
  const second = text.charCodeAt(at + 1);
  if (first >= asciiRange || !(second < asciiRange)) return null;
  const slot = slots[slotOf(first, second)]!;
  if (slot === 0) return null;
  for (const { kind, pattern } of formsOfSlot[slot - 1]!) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return { kind, from: at, to: pattern.lastIndex };
  }
  return null;
}
