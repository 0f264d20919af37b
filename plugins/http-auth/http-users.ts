/** Lets in whom a server lets in, which is asked about every client that it was not asked about a moment ago. */

import { isUtf8 } from 'node:buffer'
import { type Authenticator, type Clock, type Credentials, ReasonCode, Refusal } from '../../src/plugin.ts'
import { type Answer, readAnswer } from './answer.ts'
import type { Answers } from './answers.ts'
import type { Callout } from './callout.ts'

export interface HttpUsersParts {
  readonly callout: Callout<Answer>
  readonly answers: Answers
  readonly clock: Clock
}

export class HttpUsers implements Authenticator {
  readonly name = 'http'
  readonly #parts: HttpUsersParts

  constructor(parts: HttpUsersParts) {
    this.#parts = parts
  }

  async authenticate(credentials: Credentials): Promise<Answer> {
    const { answers, callout, clock } = this.#parts
    const question = JSON.stringify(questionOf(credentials))
    const known = answers.get(question)
    const answer =
      known === null ? await callout.ask(question, (body) => readAnswer(body, credentials.username)) : known.answer
    if (typeof answer === 'object' && answer?.expiresAt !== undefined && answer.expiresAt <= clock.now()) {
      throw new Refusal(ReasonCode.NotAuthorized, 'the time of this user is up')
    }
    if (known === null) answers.put(question, answer)
    return answer
  }
}

/** The address is without its port: it is another one each time, and nothing would be remembered. */
function questionOf({ clientId, username, password, address, listener, certificate }: Credentials): object {
  const asText = password === null || isUtf8(password)
  return {
    clientId,
    username,
    password: asText ? (password?.toString('utf8') ?? null) : null,
    ...(!asText && { passwordBase64: password.toString('base64') }),
    address: address.startsWith('unix:') ? address : address.slice(0, address.lastIndexOf(':')),
    listener,
    certificate,
  }
}
