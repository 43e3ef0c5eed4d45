/** One secret of every form that vendors document, made of chance: none of them was ever given out. */
import type { Kind } from '../../src/compile/redact/kinds.ts';
import { Dice } from '../../src/demo/dice.ts';

export interface SecretSample {
  name: string;
  kind: Kind;
  value: string;
}

const lower = 'abcdefghijklmnopqrstuvwxyz';
const upper = lower.toUpperCase();
const digits = '0123456789';
const letters = lower + upper;
const alphabets = {
  hex: `${digits}abcdef`,
  digit: digits,
  upper: upper + digits,
  letter: letters,
  mixed: letters + digits,
};

/** `{hex:32}` stands for as many characters of an alphabet; `mixed` holds letters and digits. */
const forms: Record<string, string> = {
  'AWS access key': 'AKIA{upper:16}',
  'AWS temporary key': 'ASIA{upper:16}',
  'AWS Bedrock key': 'ABSK{mixed:120}==',
  'Google API key': 'AIza{mixed:35}',
  'Google OAuth token': 'ya29.{mixed:60}',
  'Google OAuth client secret': 'GOCSPX-{mixed:28}',
  'Google refresh token': '1//0{mixed:60}',
  'Microsoft Entra client secret': '{mixed:3}8Q~{mixed:34}',
  'Azure DevOps token': '{mixed:76}AZDO{mixed:4}',
  'Alibaba key': 'LTAI{mixed:20}',
  'GitHub token': 'ghp_{mixed:36}',
  'GitHub OAuth token': 'gho_{mixed:36}',
  'GitHub installation token': 'ghs_{mixed:36}',
  'GitHub fine-grained token': 'github_pat_{mixed:22}_{mixed:59}',
  'GitLab token': 'glpat-{mixed:20}',
  'GitLab runner token': 'glrt-{mixed:20}',
  'Atlassian token': 'ATATT3{mixed:180}',
  'npm token': 'npm_{mixed:36}',
  'PyPI token': 'pypi-AgEIcHlwaS5vcmc{mixed:80}',
  'RubyGems key': 'rubygems_{hex:48}',
  'Docker token': 'dckr_pat_{mixed:27}',
  'OpenAI key': 'sk-{mixed:48}',
  'OpenAI project key': 'sk-proj-{mixed:60}_{mixed:60}',
  'OpenRouter key': 'sk-or-v1-{hex:64}',
  'Anthropic key': 'sk-ant-api03-{mixed:60}-{mixed:32}AA',
  'Hugging Face token': 'hf_{letter:34}',
  'Groq key': 'gsk_{mixed:52}',
  'xAI key': 'xai-{mixed:80}',
  'Perplexity key': 'pplx-{mixed:48}',
  'Replicate token': 'r8_{mixed:37}',
  'LangSmith key': 'lsv2_pt_{hex:32}_{hex:10}',
  'Stripe key': 'sk_live_{mixed:24}',
  'Stripe restricted key': 'rk_test_{mixed:24}',
  'Stripe webhook secret': 'whsec_{mixed:32}',
  'Shopify token': 'shpat_{hex:32}',
  'Square token': 'EAAA{mixed:60}',
  'Square OAuth secret': 'sq0csp-{mixed:43}',
  'Slack bot token': 'xoxb-{digit:12}-{digit:12}-{mixed:24}',
  'Slack app token': 'xapp-1-A{upper:10}-{digit:13}-{hex:64}',
  'SendGrid key': 'SG.{mixed:22}.{mixed:43}',
  'Twilio key': 'SK{hex:32}',
  'Mailgun key': '{hex:32}-{hex:8}-{hex:8}',
  'Mailgun legacy key': 'key-{hex:32}',
  'Mailchimp key': '{hex:32}-us12',
  'Brevo key': 'xkeysib-{hex:64}-{mixed:16}',
  'Telegram bot token': '{digit:10}:AA{mixed:33}',
  'Discord bot token': 'M{mixed:25}.{mixed:6}.{mixed:38}',
  'Supabase secret key': 'sb_secret_{mixed:31}',
  'Supabase access token': 'sbp_{hex:40}',
  'PlanetScale token': 'pscale_tkn_{mixed:43}',
  'Databricks token': 'dapi{hex:32}',
  'DigitalOcean token': 'dop_v1_{hex:64}',
  'Cloudflare token': 'cfut_{mixed:48}',
  'Cloudflare origin key': 'v1.0-{hex:24}-{hex:146}',
  'Grafana token': 'glsa_{mixed:32}_{hex:8}',
  'Sentry token': 'sntryu_{hex:64}',
  'New Relic key': 'NRAK-{upper:27}',
  'Vault token': 'hvs.{mixed:90}',
  'Terraform token': '{mixed:14}.atlasv1.{mixed:67}',
  'Doppler token': 'dp.st.prd.{mixed:43}',
  'Tailscale key': 'tskey-auth-{mixed:12}-{mixed:32}',
  'age key': 'AGE-SECRET-KEY-1{upper:58}',
  'Postman key': 'PMAK-{hex:24}-{hex:34}',
  'Linear key': 'lin_api_{mixed:40}',
  'Notion token': 'ntn_{mixed:46}',
  'Airtable token': 'pat{mixed:14}.{hex:64}',
  'Figma token': 'figd_{mixed:40}',
  'Slack webhook': 'https://hooks.slack.com/services/T{upper:8}/B{upper:8}/{mixed:24}',
  'Discord webhook': 'https://discord.com/api/webhooks/{digit:18}/{mixed:68}',
};

export function secretSamples(seed: number): SecretSample[] {
  const dice = new Dice(seed);
  const keys = Object.entries(forms).map(([name, form]) => ({
    name,
    kind: 'API_KEY' as const,
    value: filled(form, dice),
  }));
  return [...keys, webToken(dice)];
}

function filled(form: string, dice: Dice): string {
  return form.replace(/\{(\w+):(\d+)\}/g, (_, alphabet: keyof typeof alphabets, length: string) =>
    charactersOf(alphabets[alphabet], Number(length), dice),
  );
}

function charactersOf(alphabet: string, length: number, dice: Dice): string {
  return Array.from({ length }, () => alphabet[dice.int(0, alphabet.length - 1)]).join('');
}

function webToken(dice: Dice): SecretSample {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const value = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ role: 'service_role', n: dice.int(1, 1e6) })}.${charactersOf(alphabets.mixed, 43, dice)}`;
  return { name: 'JSON web token', kind: 'JWT', value };
}
