/** A TLS listener's files for tests: an authority, a certificate for 127.0.0.1, and what clients bring. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from './broker.ts'
import { type Issued, issue } from './certificates.ts'

export interface TlsFiles {
  readonly authority: Issued
  /** The group of options, on a free port. */
  readonly options: { cert: string; key: string; ca: string; port: number }
  /** Write a file beside the others; returns its path. */
  write(name: string, text: string): Promise<string>
  /** A certificate for the broker, as cert.pem and key.pem. */
  renew(): Promise<Issued>
}

export async function tlsFiles(): Promise<TlsFiles> {
  const folder = await temporaryFolder()
  const authority = issue({ cn: 'authority' })
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const renew = async (): Promise<Issued> => {
    const issued = issue({ cn: 'localhost', san: ['localhost', '127.0.0.1'], by: authority })
    await write('cert.pem', issued.cert)
    await write('key.pem', issued.key)
    return issued
  }
  await renew()
  const ca = await write('ca.pem', authority.cert)
  return {
    authority,
    write,
    renew,
    options: { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca, port: 0 },
  }
}
