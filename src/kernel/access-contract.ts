/** Who somebody is, and what somebody may do: what those are asked, and may answer, who decide on it. */

import type { Action, TopicRule } from '../core/grants.ts'
import type { SessionView } from './session-view.ts'

/** A certificate that a client has proved to be its own, and that an authority of the listener has signed. */
export interface ClientCertificate {
  /** Common name of its subject; null: it has none, or more than one. */
  readonly commonName: string | null
  /** The whole subject, one attribute a line: `CN=device-7`. */
  readonly subject: string
  /** Subject alternative names in their order, with their kind: `DNS:device-7.example`, `URI:urn:device:7`. */
  readonly san: readonly string[]
  /** SHA-256 of the certificate: 32 bytes in hexadecimal, with colons. */
  readonly fingerprint: string
}

/** Who wants in. Secrets are for the authenticator alone: never logged, never put into an event. */
export interface Credentials {
  readonly clientId: string
  readonly username: string | null
  readonly password: Buffer | null
  readonly address: string
  /** Name of the listener that the client came by: `tcp`. */
  readonly listener: string
  /** What the client has proved in TLS; null: no certificate, or no TLS. */
  readonly certificate: ClientCertificate | null
}

/** 'allow' and 'deny' decide; null leaves it to the next in the chain. */
export type Decision = 'allow' | 'deny' | null

/** Let in under a name that was proved, whatever user name the client gave. */
export interface Identity {
  readonly username: string
  /** When the proof is void, in milliseconds since the epoch: the connection ends then, the session stays. Left out: never. */
  readonly expiresAt?: number | undefined
  /** Roles that it has beside those that `access.roles` gives the user. They stay the session's until it connects again. */
  readonly roles?: readonly string[]
  /**
   * Topic rules of its own, `%c` and `%u` in them as in `access.rules`. They are asked before the rules of the configuration;
   * what none of them decides is left to those.
   */
  readonly rules?: readonly TopicRule[]
}

export interface Authenticator {
  /** What `listeners.<name>.authenticators` calls it. */
  readonly name: string
  /** Set by one that is asked by listeners that name it, and by no other. */
  readonly onlyByName?: boolean
  /**
   * Set by one that lets people in under any name, without a proof. A session belongs to the user who began it, and no other
   * may take it; one begun under a name without proof belongs to nobody.
   */
  readonly unproved?: boolean
  /** Throw a Refusal to deny with a reason of your own, or, with a server reference, to send the client elsewhere. */
  authenticate(credentials: Credentials): Decision | Identity | Promise<Decision | Identity>
}

/** A method of enhanced authentication (MQTT 5.0, section 4.12), such as SCRAM-SHA-256. */
export interface AuthenticationMethod {
  /** What `listeners.<name>.authenticators` calls it: `scram`. */
  readonly name: string
  /** What a client calls it: Authentication Method of its CONNECT. */
  readonly method: string
  /** A client wants to prove who it is by this method: now, or again. */
  readonly begin: (client: Credentials) => AuthenticationExchange
}

export interface AuthenticationExchange {
  /**
   * The next step: `data` is what the client sent, null when it sent nothing. Resolve with what it is to be sent, and with who
   * it is when this was the last step. Throw a Refusal to end it; 0x86 counts as a guess.
   */
  next(data: Buffer | null): AuthenticationStep | Promise<AuthenticationStep>
}

export interface AuthenticationStep {
  readonly data: Buffer | null
  readonly identity: Identity | null
}

export interface Authorizer {
  readonly name: string
  /** Set by one that allows everything, until `accessChanged()`: it and those behind it are not asked. */
  readonly allowsAll?: boolean
  /**
   * May this session publish on the topic, or subscribe to the filter? Answered at once and without effects: decisions
   * to publish are kept by session and topic until `accessChanged()`. Of a shared subscription, `$share/<group>/<filter>`,
   * `topic` is the filter behind the group: what it could receive.
   */
  authorize(session: SessionView, action: Action, topic: string): Decision
}
