/** How far a command is, on a terminal that shows it: one line of standard error, written over by the next, and no line elsewhere. */

/** @param text in place of what was told last; '': nothing, for what comes next on the terminal */
export function tellProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
