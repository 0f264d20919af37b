import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WriteBuffer, WriteScheduler } from '../../../src/wire/write-buffer.ts'
import { SlowSink, turn } from '../../helpers/slow-sink.ts'

const LIMIT = 20_000

function make({ slow = false, limit = LIMIT } = {}) {
  const sink = new SlowSink({ slow })
  const scheduler = new WriteScheduler()
  return { sink, scheduler, out: new WriteBuffer(sink, scheduler, limit) }
}

/** `size` bytes that are unlike those of another `seed`. */
function filled(size: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + seed) & 0xff))
}

function append(out: WriteBuffer, bytes: Buffer): void {
  out.append(bytes, 0, bytes.length)
}

function reserve(out: WriteBuffer, bytes: Buffer): void {
  const at = out.reserve(bytes.length)
  bytes.copy(out.chunk, at)
}

describe('what is written', () => {
  it('arrives in order, whatever the mix of small and large, reserved, appended and relayed, flushed or not', async () => {
    const writes = fc.array(
      fc.record({
        size: fc.oneof(fc.nat(50), fc.nat(9_000), fc.constantFrom(8_191, 8_192, 8_193, 16_383, 16_384)),
        how: fc.constantFrom('append', 'reserve', 'relay', 'relay on', 'flush', 'turn'),
      }),
      { maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(writes, fc.boolean(), async (all, slow) => {
        const { sink, out } = make({ slow })
        const expected: Buffer[] = []
        const source = filled(400_000, 99)
        let [from, to] = [0, 0]
        for (const [i, { size, how }] of all.entries()) {
          if (how === 'flush') out.flush()
          else if (how === 'turn') await turn()
          else if (how.startsWith('relay')) {
            from = how === 'relay on' ? to : to + 1
            to = from + size
            out.relay(source, from, to)
            expected.push(source.subarray(from, to))
          } else {
            const bytes = filled(size, i)
            expected.push(bytes)
            if (how === 'append') append(out, bytes)
            else reserve(out, bytes)
          }
        }
        await turn()
        sink.catchUp()
        await turn()
        expect(sink.bytes.equals(Buffer.concat(expected))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('is counted once the stream has taken it, and not when it breaks first', async () => {
    const { sink, scheduler, out } = make({ slow: true })
    append(out, filled(10, 1))
    append(out, filled(9_000, 2))
    await turn()
    expect(scheduler.counters.bytesSent).toBe(0)
    sink.catchUp()
    await turn()
    expect(scheduler.counters.bytesSent).toBe(9_010)
    const broken = new WriteBuffer(
      new SlowSink({ slow: true }).on('error', () => {}).destroy(new Error()),
      scheduler,
      1,
    )
    append(broken, filled(10, 1))
    await turn()
    expect(scheduler.counters.bytesSent).toBe(9_010)
  })

  it('leaves when the turn ends, in one piece for all small packets of the turn', async () => {
    const { sink, out } = make()
    for (let i = 0; i < 100; i++) append(out, filled(20, i))
    expect(sink.writes).toBe(0)
    await turn()
    expect([sink.writes, sink.bytes.length]).toEqual([1, 2_000])
  })

  it('leaves as one write when it takes several chunks', async () => {
    const { sink, out } = make()
    for (let i = 0; i < 10; i++) append(out, filled(5_000, i))
    append(out, filled(30_000, 1))
    append(out, filled(5, 1))
    await turn()
    expect(sink.bytes.length).toBe(80_005)
    expect(sink.writes).toBeLessThanOrEqual(2) // corked: the first may leave alone
  })

  it('may be a part of a buffer, and small parts may change afterwards', async () => {
    const { sink, out } = make()
    const bytes = Buffer.from('0123456789')
    out.append(bytes, 2, 5)
    bytes.fill('x')
    await turn()
    expect(sink.bytes.toString()).toBe('234')
  })

  it('goes over again and again through the same chunks', async () => {
    const { sink, scheduler, out } = make()
    append(out, filled(10, 1))
    await turn()
    const chunk = scheduler.take()
    scheduler.give(chunk)
    append(out, filled(10, 2))
    expect(out.chunk).toBe(chunk)
    await turn()
    expect(sink.bytes).toEqual(Buffer.concat([filled(10, 1), filled(10, 2)]))
  })

  it('is not overwritten by another connection while the socket has not taken it', async () => {
    const { sink, scheduler, out } = make({ slow: true })
    const other = new WriteBuffer(new SlowSink(), scheduler, LIMIT)
    append(out, filled(100, 1))
    await turn()
    for (let i = 0; i < 10; i++) {
      append(other, filled(100, 2))
      await turn()
    }
    sink.catchUp()
    await turn()
    expect(sink.bytes).toEqual(filled(100, 1))
  })
})

describe('free chunks', () => {
  it('are kept up to a limit', () => {
    const scheduler = new WriteScheduler()
    const chunks = Array.from({ length: WriteScheduler.MAX_FREE + 1 }, () => Buffer.alloc(1))
    for (const chunk of chunks) scheduler.give(chunk)
    const taken = Array.from({ length: WriteScheduler.MAX_FREE }, () => scheduler.take())
    expect(taken.every((chunk) => chunk.length === 1)).toBe(true)
    expect(scheduler.take().length).toBe(16_384)
  })
})

describe('a connection whose client does not read', () => {
  it('is congested from the limit on, until half of it is left, and tells so once', async () => {
    const { sink, out } = make({ slow: true })
    let drained = 0
    out.onDrain = () => drained++
    append(out, filled(LIMIT, 1))
    await turn()
    expect(out.congested).toBe(false)
    append(out, filled(1, 1))
    await turn()
    expect([out.congested, drained]).toEqual([true, 0])
    sink.catchUp()
    await turn()
    expect([out.congested, drained]).toEqual([false, 1])
  })

  it('stays congested while more than half of the limit waits', async () => {
    const { sink, out } = make({ slow: true })
    append(out, filled(9_000, 1))
    out.flush()
    append(out, filled(15_000, 2))
    out.flush()
    expect(out.congested).toBe(true)
    sink.takeOne()
    await turn()
    expect(out.congested).toBe(true)
    sink.takeOne()
    await turn()
    expect(out.congested).toBe(false)
  })

  it('may be written to when it has drained', async () => {
    const { sink, out } = make({ slow: true })
    out.onDrain = () => append(out, filled(5, 9))
    append(out, filled(LIMIT + 1, 1))
    await turn()
    sink.catchUp()
    await turn()
    expect(sink.bytes.length).toBe(LIMIT + 6)
  })
})

describe('afterFlush', () => {
  it('calls back once the bytes were taken, not when they were handed over', async () => {
    const { sink, out } = make({ slow: true })
    let called = 0
    append(out, filled(10, 1))
    out.afterFlush(() => called++)
    expect(called).toBe(0)
    await turn()
    expect(called).toBe(0)
    sink.catchUp()
    await turn()
    expect(called).toBe(1)
  })

  it('does not wait for what was written later', async () => {
    const { sink, out } = make({ slow: true })
    const heard: string[] = []
    append(out, filled(10, 1))
    out.afterFlush(() => heard.push('first'))
    out.flush()
    append(out, filled(10, 2))
    out.afterFlush(() => heard.push('second'))
    out.flush()
    sink.takeOne()
    await turn()
    expect(heard).toEqual(['first'])
    sink.takeOne()
    await turn()
    expect(heard).toEqual(['first', 'second'])
  })

  it('calls back, but not during the call, when nothing waits', async () => {
    const { out } = make()
    let called = 0
    out.afterFlush(() => called++)
    expect(called).toBe(0)
    await turn()
    expect(called).toBe(1)
  })

  it('never calls back when the socket breaks first', async () => {
    const { sink, out } = make({ slow: true })
    let called = 0
    append(out, filled(10, 1))
    out.afterFlush(() => called++)
    await turn()
    sink.on('error', () => {})
    sink.destroy(new Error('reset'))
    await turn()
    out.flush()
    expect(called).toBe(0)
  })
})

describe('a socket that is gone', () => {
  it.each([
    ['destroyed', (sink: SlowSink) => sink.destroy()],
    ['ended', (sink: SlowSink) => sink.end()],
  ])('is not written to: %s', async (_how, finish) => {
    const { sink, out } = make()
    const errors: unknown[] = []
    sink.on('error', (error) => errors.push(error))
    append(out, filled(10, 1))
    finish(sink)
    append(out, filled(20_000, 2))
    append(out, filled(10, 3))
    out.flush()
    await turn()
    expect([sink.bytes.length, errors]).toEqual([0, []])
  })

  it('gives its chunks back', async () => {
    const { sink, scheduler, out } = make()
    append(out, filled(10, 1))
    const { chunk } = out
    sink.destroy()
    out.flush()
    expect(scheduler.take()).toBe(chunk)
  })
})
