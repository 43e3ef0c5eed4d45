/** Certificates made at test time, by openssl: an authority, and what it signs for 127.0.0.1. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Authority {
  /** PEM text. */
  ca: string;
  sign(name: string): Promise<{ cert: string; key: string }>;
  remove(): Promise<void>;
}

export async function createAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'tc-certificates-'));
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const text = (file: string) => readFile(join(folder, file), 'utf8');
  const keyArgs = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...keyArgs,
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  return {
    ca: await text('ca.pem'),
    sign: async (name) => {
      await writeFile(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
      await openssl('req', ...keyArgs, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
      await openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`);
      return { cert: await text(`${name}.pem`), key: await text(`${name}.key`) };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
