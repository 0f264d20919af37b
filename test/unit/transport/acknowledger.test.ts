import { describe, expect, it } from 'vitest'
import { Acknowledger, NONE } from '../../../src/transport/acknowledger.ts'
import { ReceiveWindow } from '../../../src/transport/receive-window.ts'
import { PUBACK, PUBCOMP, PUBREC } from '../../../src/wire/acknowledgement-writer.ts'
import { Connection } from '../session/support.ts'

function make(version: 4 | 5 = 5) {
  const connection = new Connection({ version })
  const window = new ReceiveWindow(Infinity)
  const failures: string[] = []
  const refused: string[] = []
  const unkept: number[] = []
  let progressed = 0
  const acknowledger = new Acknowledger({
    out: connection.out,
    version,
    window,
    maxExplainedBytes: 100,
    refused: (topic, error) => refused.push(`${topic} ${(error as Error).message}`),
    failed: (type, packetId, error) => failures.push(`${type} ${packetId} ${(error as Error).message}`),
    unkept: (packetId) => void unkept.push(packetId),
    progress: () => progressed++,
  })
  const received = () => connection.received()
  return { acknowledger, received, refused, failures, unkept, progressed: () => progressed }
}

/** A promise, and its ends. */
function deferred() {
  let resolve = (): void => {}
  let reject = (_error: unknown): void => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

describe('an acknowledgement', () => {
  it('is written at once when there is nothing to wait for', async () => {
    const { acknowledger, received } = make()
    acknowledger.add(PUBACK, 1, undefined, 0)
    acknowledger.add(PUBREC, 2, undefined, 0x87)
    acknowledger.add(NONE, 0, undefined, 0)
    expect(acknowledger.pending).toBe(0)
    expect(await received()).toEqual(['PUBACK 1', 'PUBREC 2 0x87'])
  })

  it('has no reason code before MQTT 5.0', async () => {
    const { acknowledger, received } = make(4)
    acknowledger.add(PUBCOMP, 1, undefined, 0x92)
    expect(await received()).toEqual(['PUBCOMP 1'])
  })

  it('waits until its message is safe', async () => {
    const { acknowledger, received } = make()
    const { promise, resolve } = deferred()
    acknowledger.add(PUBACK, 1, promise, 0)
    expect([acknowledger.pending, await received()]).toEqual([1, []])
    resolve()
    expect(await received()).toEqual(['PUBACK 1'])
    expect(acknowledger.pending).toBe(0)
  })
})

describe('acknowledgements', () => {
  it('are in the order of the messages, even when later ones are safe first [MQTT-4.6.0-2]', async () => {
    const { acknowledger, received } = make()
    const [first, second, third] = [deferred(), deferred(), deferred()]
    acknowledger.add(PUBACK, 1, first.promise, 0)
    acknowledger.add(PUBACK, 2, second.promise, 0)
    acknowledger.add(PUBACK, 3, undefined, 0)
    acknowledger.add(PUBREC, 4, third.promise, 0)
    third.resolve()
    second.resolve()
    expect([acknowledger.pending, await received()]).toEqual([4, []])
    first.resolve()
    expect(await received()).toEqual(['PUBACK 1', 'PUBACK 2', 'PUBACK 3', 'PUBREC 4'])
  })

  it('that share a promise are written together', async () => {
    const { acknowledger, received, progressed } = make()
    const { promise, resolve } = deferred()
    for (let id = 1; id <= 100; id++) acknowledger.add(PUBACK, id, promise, 0)
    acknowledger.add(NONE, 0, promise, 0)
    expect(acknowledger.pending).toBe(101)
    resolve()
    expect((await received()).length).toBe(100)
    expect([acknowledger.pending, progressed()]).toEqual([0, 1])
  })

  it('that share a promise, with others between them, keep their places', async () => {
    const { acknowledger, received } = make()
    const [shared, other] = [deferred(), deferred()]
    acknowledger.add(PUBACK, 1, shared.promise, 0)
    acknowledger.add(PUBACK, 2, other.promise, 0)
    acknowledger.add(PUBACK, 3, shared.promise, 0)
    shared.resolve()
    expect(await received()).toEqual(['PUBACK 1'])
    other.resolve()
    expect(await received()).toEqual(['PUBACK 2', 'PUBACK 3'])
  })

  it('come too when their promise had resolved before', async () => {
    const { acknowledger, received } = make()
    acknowledger.add(PUBACK, 1, Promise.resolve(), 0)
    acknowledger.add(PUBACK, 2, undefined, 0)
    expect(await received()).toEqual(['PUBACK 1', 'PUBACK 2'])
  })

  it('are not lost behind one that takes long', async () => {
    const { acknowledger, received, progressed } = make()
    const slow = deferred()
    acknowledger.add(NONE, 0, slow.promise, 0)
    for (let id = 1; id <= 5; id++) acknowledger.add(PUBACK, id, Promise.resolve(), 0)
    expect([await received(), acknowledger.pending]).toEqual([[], 6])
    slow.resolve()
    expect(await received()).toEqual([1, 2, 3, 4, 5].map((id) => `PUBACK ${id}`))
    expect(progressed()).toBeGreaterThan(0)
  })
})

describe('messages that could not be kept', () => {
  it('are told one by one, in their place among the others', async () => {
    const { acknowledger, received, failures } = make()
    const [first, second] = [deferred(), deferred()]
    acknowledger.add(PUBACK, 1, first.promise, 0)
    acknowledger.add(PUBACK, 2, second.promise, 0)
    acknowledger.add(NONE, 0, second.promise, 0)
    acknowledger.add(PUBREC, 3, second.promise, 0)
    acknowledger.add(PUBACK, 4, undefined, 0)
    second.reject(new Error('disk full'))
    expect([await received(), failures]).toEqual([[], []])
    first.resolve()
    expect(await received()).toEqual(['PUBACK 1', 'PUBACK 4'])
    expect(failures).toEqual(['4 2 disk full', '0 0 disk full', '5 3 disk full'])
  })

  it('are told of as refused at once, each by its topic, though their turn has not come or their client is gone', async () => {
    const { acknowledger, refused, failures } = make()
    const [first, second] = [deferred(), deferred()]
    acknowledger.add(PUBACK, 1, first.promise, 0, '', 'a')
    acknowledger.add(PUBACK, 2, second.promise, 0, '', 'b')
    acknowledger.add(NONE, 0, second.promise, 0, '', 'c')
    acknowledger.add(PUBCOMP, 3, second.promise, 0)
    second.reject(new Error('no'))
    await expect(second.promise).rejects.toThrow()
    expect([refused, failures]).toEqual([['b no', 'c no'], []])
    acknowledger.close()
    first.reject(new Error('disk full'))
    await expect(first.promise).rejects.toThrow()
    expect(refused).toEqual(['b no', 'c no', 'a disk full'])
  })

  it('fail also when they are rejected with nothing', async () => {
    const { acknowledger, received, failures } = make()
    acknowledger.add(PUBACK, 1, Promise.reject(undefined), 0)
    expect(await received()).toEqual([])
    expect(failures.length).toBe(1)
  })

  it('end the rest when the connection is closed over the first', async () => {
    const connection = new Connection()
    const failures: number[] = []
    const unkept: number[] = []
    const acknowledger: Acknowledger = new Acknowledger({
      out: connection.out,
      version: 4,
      window: new ReceiveWindow(Infinity),
      maxExplainedBytes: 0,
      refused: () => {},
      failed: (_type, packetId) => {
        failures.push(packetId)
        acknowledger.close()
      },
      unkept: (packetId) => void unkept.push(packetId),
      progress: () => failures.push(-1),
    })
    const { promise, reject } = deferred()
    acknowledger.add(PUBACK, 1, promise, 0)
    acknowledger.add(PUBACK, 2, promise, 0)
    acknowledger.add(PUBREC, 3, promise, 0)
    acknowledger.add(PUBACK, 4, undefined, 0)
    reject(new Error('disk full'))
    expect(await connection.received()).toEqual([])
    expect([failures, unkept, acknowledger.pending]).toEqual([[1], [3], 0])
  })
})

describe('a connection that is closed', () => {
  it('gets nothing more, and reads nothing more', async () => {
    const { acknowledger, received, progressed } = make()
    const { promise, resolve } = deferred()
    acknowledger.add(PUBACK, 1, promise, 0)
    acknowledger.close()
    resolve()
    expect(await received()).toEqual([])
    expect([acknowledger.pending, progressed()]).toEqual([0, 0])
  })

  it('may send again at QoS 2 what could not be kept, known before it was closed or after', async () => {
    const { acknowledger, received, failures, unkept } = make()
    const [first, second, third] = [deferred(), deferred(), deferred()]
    acknowledger.add(PUBREC, 1, first.promise, 0)
    acknowledger.add(PUBREC, 2, second.promise, 0)
    acknowledger.add(PUBACK, 3, second.promise, 0)
    acknowledger.add(PUBREC, 4, third.promise, 0)
    second.reject(new Error('disk full'))
    expect(await received()).toEqual([])
    acknowledger.close()
    expect(unkept).toEqual([2])
    first.reject(new Error('disk full'))
    third.resolve()
    expect(await received()).toEqual([])
    expect([unkept, failures]).toEqual([[2, 1], []])
  })
})
