/**
 * Forms of keys and tokens as their vendors document them: a prefix that nothing else begins with, or a shape that
 * nothing else has. Found wherever they stand, so each is certain.
 *
 * Nearly all hold a word of 16 characters or more (letters, digits, `_`, `-`), and begin in it: those are looked for in
 * long words only. No pattern has two ways to read the same characters.
 */
import type { Kind } from '../kinds.ts';

export interface FormMatch {
  kind: Kind;
  from: number;
  to: number;
}

interface VendorForm {
  kind: Kind;
  /** What each spelling begins with, apart by spaces. */
  starts: string;
  pattern: RegExp;
}

const key = (starts: string, pattern: RegExp): VendorForm => ({
  kind: 'API_KEY',
  starts,
  pattern: new RegExp(`(?:${pattern.source})(?![A-Za-z0-9])`, 'y'),
});

/** RFC 7519: header, claims, signature; RFC 7516 has five parts. One whose claims were cut off is known by its header. */
const webToken: VendorForm = {
  kind: 'JWT',
  starts: 'eyJ',
  // Only where a word begins: each place within a long word would be read to the end of it.
  pattern:
    /(?:(?<![\w-])|(?<=\\[nrtbf]))(?:eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}|ey(?:JhbGciOi|J0eXAiOi|JraWQiOi)[\w-]*)/y,
};

const prefixed: readonly VendorForm[] = [
  webToken,
  // Clouds: AWS IAM identifiers, Bedrock; Google API keys, OAuth; Azure has shapes, see below; Alibaba, Tencent.
  key('AKIA ASIA ABIA ACCA', /(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}/),
  key('AIza', /AIza[\w-]{35}/),
  key('GOCSPX-', /GOCSPX-[\w-]{28}/),
  key('LTAI', /LTAI[A-Za-z0-9]{12,24}/),
  key('AKID', /AKID[A-Za-z0-9]{32}/),
  key('doo_v1_ dop_v1_ dor_v1_', /do[opr]_v1_[a-f0-9]{64}/),
  key('cfut_ cfat_ cfk_', /cf(?:ut|at|k)_[\w-]{40,}/),
  key('HRKU-', /HRKU-[\w-]{36,}/),
  key('tfp_ nfp_', /(?:tfp|nfp)_[\w-]{30,}/),
  // Code hosts, packages, builds.
  key('ghp_ gho_ ghu_ ghs_ ghr_', /gh[pousr]_[A-Za-z0-9][\w.-]{34,}/),
  key('github_pat_', /github_pat_\w{22,}/),
  key(
    'glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- gloas- glimt- glffct- glwt-',
    /gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt|ffct|wt)-[\w.=-]{20,}/,
  ),
  key('GR1348941', /GR1348941[\w-]{20,}/),
  key('ATATT3 ATCTT3 ATBB', /AT(?:ATT3|CTT3)[\w=-]{100,}|ATBB[A-Za-z0-9]{32,}/),
  key('npm_', /npm_[A-Za-z0-9]{36}/),
  key('pypi-AgE', /pypi-AgE[\w-]{50,}/),
  key('rubygems_', /rubygems_[a-f0-9]{48}/),
  key('dckr_', /dckr_(?:pat|oat)_[\w-]{27,}/),
  key('CCIPAT_', /CCIPAT_[\w-]{40,}/),
  key('pul-', /pul-[a-f0-9]{40}/),
  key('sgp_', /sgp_(?:[a-f0-9]{16}_)?[a-f0-9]{40}/),
  // Models.
  key('sk-ant-', /sk-ant-[a-z]{3,8}\d{2}-[\w-]{20,}/),
  key('sk-', /sk-(?:proj|svcacct|admin|None)-[\w-]{20,}/),
  key('sk-', /sk-(?:or-v1-)?[A-Za-z0-9]{32,}/),
  key('hf_', /hf_[A-Za-z0-9]{34,}/),
  key('api_org_', /api_org_[A-Za-z0-9]{34}/),
  key('gsk_', /gsk_[A-Za-z0-9]{48,}/),
  key('xai-', /xai-[A-Za-z0-9]{70,}/),
  key('pplx-', /pplx-[A-Za-z0-9]{40,}/),
  key('r8_', /r8_[A-Za-z0-9]{37}/),
  key('lsv2_', /lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}/),
  // Payments and shops.
  key('sk_live_ sk_test_ rk_live_ rk_test_', /[sr]k_(?:live|test)_[A-Za-z0-9]{16,}/),
  key('shpat_ shpca_ shppa_ shpss_ shpua_', /shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}/),
  key('EAAA', /EAAA[\w-]{60}/),
  key('sq0', /sq0(?:atp|csp|idp)-[\w-]{22,43}/),
  key('rzp_', /rzp_(?:live|test)_[A-Za-z0-9]{14,}/),
  // Messages and mail.
  key('xox', /xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}/),
  key('xapp-', /xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}/),
  key('SK', /SK[a-f0-9]{32}/),
  key('key-', /key-[a-f0-9]{32}/),
  key('xkeysib-', /xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}/),
  key('re_', /re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}/),
  key('EAA', /EAA[A-Za-z0-9]{90,}/),
  // Databases, observability, infrastructure, documents.
  key('sb_secret_ sbp_', /sb_secret_[\w-]{20,}|sbp_(?:v0_)?[a-f0-9]{40}/),
  key('pscale_', /pscale_(?:tkn|pw|oauth)_[\w=.-]{32,}/),
  key('napi_', /napi_[a-z0-9]{40,}/),
  key('dapi', /dapi[a-f0-9]{32}(?:-\d)?/),
  key('glsa_ glc_eyJ', /glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_eyJ[A-Za-z0-9+/=]{30,}/),
  key('sntrys_ sntryu_', /sntrys_eyJ[\w+/=-]{40,}|sntryu_[a-f0-9]{64}/),
  key('NRAK-', /NRAK-[A-Z0-9]{27}/),
  key('tskey-', /tskey-(?:auth|api|client|scim|webhook)-[\w-]{20,}/),
  key('AGE-SECRET-KEY-', /AGE-SECRET-KEY-1[0-9A-Z]{58}/),
  key('ops_eyJ', /ops_eyJ[\w+/=-]{100,}/),
  key('PMAK-', /PMAK-[a-f0-9]{24}-[a-f0-9]{34}/),
  key('lin_', /lin_(?:api|oauth)_[A-Za-z0-9]{40,}/),
  key('ntn_', /ntn_[A-Za-z0-9]{40,}/),
  key('pat', /pat[A-Za-z0-9]{14}\.[a-f0-9]{64}/),
  key('figd_', /figd_[\w-]{40,}/),
  key('CFPAT-', /CFPAT-[\w-]{43}/),
  key('AKCp', /AKCp[A-Za-z0-9]{69,}/),
];

/** Forms whose first word is short; it stands right before a long one. */
const markBefore =
  /(?:SG\.|ya29\.|AQ\.|hv[bsr]\.|dp\.(?:pt|st|ct|sa|scim|audit)\.(?:\w{1,40}\.)?|sl\.(?:u\.)?|1\/\/|v1\.|FlyV1 |\d:|\.atlasv1\.)$/;
const longestMark = 52;

const marked: readonly RegExp[] = [
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))ABSK[A-Za-z0-9+/]{100,}={0,2}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))AQ\.Ab[\w-]{30,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))ya29\.[\w.-]{20,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))1\/\/0[\w-]{20,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))v1\.0-[a-f0-9]{24}-[a-f0-9]{146}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))FlyV1 fm[12][ar]?_[A-Za-z0-9+/=,_-]{50,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))whsec_[A-Za-z0-9+/]{24,}={0,2}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))SG\.[\w-]{22}\.[\w-]{43}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))hv[bsr]\.[\w-]{24,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,}(?![A-Za-z0-9])/g,
  /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))sl\.(?:u\.)?[\w-]{100,}(?![A-Za-z0-9])/g,
  // Telegram bots, Terraform Cloud, Microsoft Entra.
  /(?:(?<![\w-])|(?<=\\[nrtbf]))\d{8,10}:AA[\w-]{33}(?![\w-])/g,
  /(?:(?<![\w-])|(?<=\\[nrtbf]))[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}/g,
  /[\w~.-]{3}\dQ~[\w.~-]{31,34}(?![\w~-])/g,
];

/** Words of one length: Discord bots (what follows the dot belongs to it), Mailchimp, Mailgun, Azure DevOps. */
const discord = /[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])/y;
const mailchimp = /[a-f0-9]{32}-us\d{1,2}(?![\w-])/y;
const mailgun = /[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}(?![\w-])/y;
const azureDevOps = /[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![\w-])/y;
const dot = 46;
const slash = 47;
const colon = 58;
const space = 32;

const asciiRange = 128;
const slotOf = (first: number, second: number) => first * asciiRange + second;

/** By the first two characters: 0 for none, else one more than the index in `formsOfSlot`. */
const slots = new Uint8Array(asciiRange * asciiRange);
const formsOfSlot: VendorForm[][] = [];

for (const form of prefixed) {
  for (const start of new Set(form.starts.split(' ').map((one) => one.slice(0, 2)))) {
    const slot = slotOf(start.charCodeAt(0), start.charCodeAt(1));
    if (slots[slot] === 0) slots[slot] = formsOfSlot.push([]);
    formsOfSlot[slots[slot]! - 1]!.push(form);
  }
}

/** Base64 and its like, in which no long word has to stand. */
export function holdsMark(text: string): boolean {
  return text.includes('ABSK') || text.includes('whsec_') || text.includes('Q~');
}

/** @param from where a word of 16 characters or more begins */
export function followsMark(text: string, from: number): boolean {
  const before = text.charCodeAt(from - 1);
  if (before !== dot && before !== slash && before !== colon && before !== space) return false;
  return markBefore.test(text.slice(Math.max(0, from - longestMark), from));
}

/** Of a text in which a mark was seen. */
export function markedForms(text: string): FormMatch[] {
  return marked.flatMap((pattern) =>
    Array.from(text.matchAll(pattern), ({ index, 0: { length } }) => ({ ...apiKey, from: index, to: index + length })),
  );
}

const apiKey = { kind: 'API_KEY' as const };

/** @param from where a word of 16 characters or more begins @param to where it ends */
export function formInWord(text: string, from: number, to: number): FormMatch | null {
  for (let at = from; at < to - 2; at++) {
    const slot = beginsPart(text, at, from) ? slots[slotOf(text.charCodeAt(at), text.charCodeAt(at + 1))]! : 0;
    const form = slot === 0 ? null : firstOf(formsOfSlot[slot - 1]!, text, at);
    if (form !== null) return form;
  }
  const begin = text[from - 1] === '\\' ? from + 1 : from;
  const pattern = shapeOf(to - begin, text.charCodeAt(to));
  return pattern === null ? null : matchAt(pattern, text, begin, 'API_KEY');
}

/** Behind the begin of the word, `_` or `-`, or the letter of an escape such as `\n`. */
function beginsPart(text: string, at: number, from: number): boolean {
  if (at === from) return true;
  const before = text[at - 1];
  return before === '_' || before === '-' || (at === from + 1 && text[at - 2] === '\\');
}

function firstOf(forms: VendorForm[], text: string, at: number): FormMatch | null {
  for (const { kind, pattern } of forms) {
    const match = matchAt(pattern, text, at, kind);
    if (match !== null) return match;
  }
  return null;
}

function shapeOf(length: number, next: number): RegExp | null {
  if (next === dot && length >= 24 && length <= 28) return discord;
  if (length === 36 || length === 37) return mailchimp;
  if (length === 50) return mailgun;
  return length === 84 ? azureDevOps : null;
}

function matchAt(pattern: RegExp, text: string, from: number, kind: Kind): FormMatch | null {
  pattern.lastIndex = from;
  return pattern.test(text) ? { kind, from, to: pattern.lastIndex } : null;
}
