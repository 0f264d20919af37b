/** Asks a server over HTTP who a client is. Off unless `httpAuth` is configured. While the server is down nobody is let in by it. */

import { readFile } from 'node:fs/promises'
import { definePlugin, EventflowError, type PluginContext } from '../../src/plugin.ts'
import type { Answer } from './answer.ts'
import { Answers } from './answers.ts'
import { HttpUsers } from './http-users.ts'

/** As the configuration has them: durations in milliseconds. */
export interface HttpAuthOptions {
  readonly url: string
  readonly bearerTokenFile: string | null
  readonly timeout: number
  readonly cacheAllowed: number
  readonly cacheDenied: number
  readonly cacheSize: number
  readonly maxConcurrent: number
  readonly retryAfter: number
}

export const httpAuth = definePlugin<HttpAuthOptions | null>({
  name: 'httpAuth',
  async setup(context) {
    let inForce = await usersOf(context.options, context)
    context.authenticator({
      name: 'http',
      authenticate: (credentials) => inForce?.users.authenticate(credentials) ?? null,
    })
    return {
      stop: () => inForce?.callout.stop(),
      files: () => inForce?.files ?? [],
      async reload(options) {
        const next = await usersOf(options as HttpAuthOptions | null, context)
        return () => {
          inForce?.callout.stop()
          inForce = next
        }
      },
    }
  },
})

/** Null where no server is asked. @throws EventflowError ACCESS_FILE_INVALID */
async function usersOf(options: HttpAuthOptions | null, { clock, log }: PluginContext<unknown>) {
  if (options === null) return null
  const { url, bearerTokenFile, timeout: timeoutMs, maxConcurrent, retryAfter: retryAfterMs } = options
  const bearerToken = bearerTokenFile === null ? null : await readToken(bearerTokenFile)
  const { Callout } = await import('./callout.ts') // with its circuit breaker, only where it is used
  const callout = new Callout<Answer>({ url, bearerToken, timeoutMs, maxConcurrent, retryAfterMs, log })
  const { cacheSize: size, cacheAllowed: allowedMs, cacheDenied: deniedMs } = options
  const users = new HttpUsers({ callout, answers: new Answers({ size, allowedMs, deniedMs, clock }), clock })
  return { users, callout, files: bearerTokenFile === null ? [] : [bearerTokenFile] }
}

/** @throws EventflowError ACCESS_FILE_INVALID, which does not quote the file */
async function readToken(file: string): Promise<string> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new EventflowError('ACCESS_FILE_INVALID', `the token file ${file} cannot be read (${code})`, { cause })
  }
  const token = text.split(/\r?\n/, 1)[0]!
  // What a header may carry (RFC 6750): anything else would be an error of fetch, with the token in it.
  if (/^[\w.~+/-]+=*$/.test(token)) return token
  throw new EventflowError('ACCESS_FILE_INVALID', `the token file ${file} does not begin with a line that is a token`)
}
