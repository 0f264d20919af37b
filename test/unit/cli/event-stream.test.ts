/** Server-sent events as they come over a socket. */

import { expect, it } from 'vitest'
import { dataOf } from '../../../src/cli/event-stream.ts'

it('the data of events is read wherever the bytes are cut, in the middle of a character too', async () => {
  const bytes = Buffer.from(
    ': events follow\n\nid: 1\nevent: a\ndata: {"é":"漢"}\n\n: still here\n\ndata: two\n\ndata: cut',
  )
  for (let size = 1; size <= bytes.length; size++) {
    const found: string[] = []
    for await (const data of dataOf(pieces(bytes, size))) found.push(data)
    expect(found).toEqual(['{"é":"漢"}', 'two'])
  }
})

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
