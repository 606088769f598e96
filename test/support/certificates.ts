// Certificates that are made when a test needs them: those in a file would run out one day.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate that has signed itself, for `name` and, as a server's, for 127.0.0.1 if that is `localhost`. */
export function makeCertificate(name: string): Certificate {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-certificate-'));
  try {
    const names = name === 'localhost' ? 'DNS:localhost,IP:127.0.0.1' : `DNS:${name}`;
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const wanted = ['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`];
    const files = ['-keyout', 'key.pem', '-out', 'cert.pem'];
    const options = { cwd: directory, stdio: 'pipe' as const };
    execFileSync('openssl', ['req', '-x509', '-nodes', ...curve, ...wanted, ...files], options);
    const read = (file: string): string => readFileSync(path.join(directory, file), 'utf8');
    return { key: read('key.pem'), cert: read('cert.pem') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
