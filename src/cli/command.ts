/** What a command of the `eventflow` program is; main.ts holds the table of them. */

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows `eventflow ` on its usage line, and its options, as text for people. */
  readonly usage: string
  /** Run it. `args` are the words after its name. Resolves with the exit code: 0 done, 1 failed, 2 wrongly called. */
  run(args: readonly string[]): Promise<number>
}
