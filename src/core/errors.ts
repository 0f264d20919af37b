/** Faults of Eventflow itself: one class, and the one table of their codes. What a client did wrong is a Refusal. */

export const ERROR_CODES = {
  CONFIG_INVALID: 'The configuration has unknown keys or values that are not allowed.',
  STORE_LOCKED: 'Another process has the data directory open.',
  STORE_VERSION: 'The data directory was written in a format that this version does not read.',
  STORE_FAILED: 'The store could not read or write.',
  STORE_CORRUPT: 'A record in the store cannot be read, or the store is damaged so that it cannot be opened.',
  LISTEN_FAILED: 'A listener could not be opened.',
  TLS_FILE_INVALID: 'A certificate, its key or the authorities of a listener cannot be read, or do not fit together.',
  PLUGIN_FAILED: 'A plugin could not be set up, started or stopped.',
  NAMESPACE_TAKEN: 'Two plugins claim the same topic prefix.',
  TRANSPORT_UNSUPPORTED: 'The installed MQTT transport is not the version that Eventflow was built for.',
  ACCESS_FILE_INVALID: 'A file of users, keys or rules cannot be read.',
  LOG_FILE_FAILED: 'The log file cannot be written.',
  QUEUE_UNKNOWN: 'There is no queue of this name.',
  QUEUE_IN_USE: 'The queue cannot be deleted while a client subscribes to it.',
  BACKUP_REFUSED: 'The directory of a backup is not empty or not allowed, or another backup is under way.',
  BACKUP_FAILED: 'A backup could not be written, or not be restored.',
  BACKUP_INVALID: 'What is to be restored is no backup, or is damaged.',
  NOT_RUNNING: 'The broker is not running.',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** A fault with a stable `code`, text for people in `message`, and what led to it in `cause`. */
export class EventflowError extends Error {
  override readonly name = 'EventflowError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The code of any error, for the event `broker.error`: of what is none of ours, UNEXPECTED. */
export function faultCode(error: unknown): ErrorCode | 'UNEXPECTED' {
  return error instanceof EventflowError ? error.code : 'UNEXPECTED'
}
