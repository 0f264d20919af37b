/** Answers of web servers that the broker asks: read with a limit, and what to say of one that did not come. */

/**
 * The text of an answer.
 * @throws Error when it has more than `maxBytes`: no server may fill the memory
 */
export async function textOf(answer: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error('the answer is too long')
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What went wrong: the code of the network's error, which `fetch` has as a cause, or what we said ourselves. */
export function webProblemOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}
