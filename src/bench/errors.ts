/** What ends a benchmark, in words for the one who runs it: a broker that is not there, refuses, or hangs up. */

export class BenchError extends Error {
  override readonly name = 'BenchError'
}
