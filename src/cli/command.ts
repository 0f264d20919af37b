/** What a command of the `eventflow` program is; main.ts holds the table of them. */

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows `eventflow ` on its usage line, and its options, as text for people. */
  readonly usage: string
  /** Its `-h` names a host, as in mosquitto's programs: only `--help` asks for help. */
  readonly hasHost?: boolean
  /**
   * Run it. `args` are the words after its name. Resolves with the exit code: 0 done, 1 failed, 2 wrongly called.
   * @throws WronglyCalled, or what node:util's parseArgs throws, for the exit code 2; anything else for 1
   */
  run(args: readonly string[]): Promise<number>
}

/** It was wrongly called; the message says what was expected. */
export class WronglyCalled extends Error {}

/** Options of parseArgs. */
export const text = { type: 'string' } as const
export const flag = { type: 'boolean' } as const

/** The number that an option names, or null where it is not given. */
export function wholeNumber(option: string, value: string | undefined, min: number, max: number): number | null {
  if (value === undefined) return null
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return number
  throw new WronglyCalled(`${option} takes a whole number from ${min} to ${max}, found '${value}'`)
}
