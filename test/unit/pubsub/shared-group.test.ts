import { describe, expect, it } from 'vitest'
import { House, type TestClient } from './support.ts'

const SHARE = '$share/g/t'
const FOR_EVER = 0xffff_ffff

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => String(from + i))

async function members(house: House, names: readonly string[], options = {}, qos: 0 | 1 | 2 = 2) {
  const clients = names.map((name) => house.connect(name, options))
  for (const client of clients) await client.subscribe(SHARE, { qos })
  return clients
}

async function payloadsOf(...clients: TestClient[]): Promise<string[][]> {
  for (const client of clients) await client.read()
  return clients.map(({ payloads }) => payloads)
}

/** Acknowledge whatever comes, until nothing does. Returns the payloads in the order of acknowledging. */
async function drain(...clients: TestClient[]): Promise<string[]> {
  const done: string[] = []
  for (let before = -1; before < done.length; ) {
    before = done.length
    for (const client of clients) {
      await client.read()
      while (client.unsettled.length > 0) done.push(client.settle())
    }
  }
  return done
}

describe('a message for a group', () => {
  it.each([0, 1, 2] as const)('goes to one of its members, in turn, at QoS %i', async (qos) => {
    const house = await House.open()
    const clients = await members(house, ['a', 'b', 'c'])
    for (const payload of numbers(9)) house.publish(payload, qos)
    expect(await payloadsOf(...clients)).toEqual([
      ['0', '3', '6'],
      ['1', '4', '7'],
      ['2', '5', '8'],
    ])
  })

  it('has the QoS, the identifier and the retain flag that its member asked for', async () => {
    const house = await House.open()
    const [low, high] = [house.connect('low'), house.connect('high')]
    await low.subscribe(SHARE, { qos: 1, identifier: 7 })
    await high.subscribe(SHARE, { qos: 2, identifier: 9, retainAsPublished: true })
    house.publish('1', 2, { retain: true })
    house.publish('2', 2, { retain: true })
    await payloadsOf(low, high)
    expect(low.packets).toMatchObject([{ qos: 1, retain: false, properties: { subscriptionIdentifier: 7 } }])
    expect(high.packets).toMatchObject([{ qos: 2, retain: true, properties: { subscriptionIdentifier: 9 } }])
  })

  it('goes to every group and to every other subscription besides, of the same client too', async () => {
    const house = await House.open()
    const [one, other] = [house.connect('one'), house.connect('other')]
    for (const filter of ['$share/g/t', '$share/h/t', '$share/g/+', 't', '#']) await one.subscribe(filter)
    await other.subscribe('t')
    house.publish('x')
    expect(await payloadsOf(one, other)).toEqual([['x', 'x', 'x', 'x'], ['x']])
  })

  it('is no retained one: those are not sent to a new member', async () => {
    const house = await House.open()
    house.publish('kept', 1, { retain: true })
    const [member] = await members(house, ['a'])
    expect(await payloadsOf(member!)).toEqual([[]])
  })

  it('passes over members without room, and waits for the first who has some', async () => {
    const house = await House.open()
    const full = await members(house, ['full'], { receiveMaximum: 1 })
    const [free] = await members(house, ['free'], { receiveMaximum: 3 })
    for (const payload of numbers(6)) house.publish(payload)
    expect(await payloadsOf(full[0]!, free!)).toEqual([['0'], ['1', '2', '3']])
    free!.settle()
    expect(await payloadsOf(full[0]!, free!)).toEqual([['0'], ['1', '2', '3', '4']])
    full[0]!.settle()
    expect(await payloadsOf(full[0]!, free!)).toEqual([
      ['0', '5'],
      ['1', '2', '3', '4'],
    ])
  })

  it('waits while a member has other messages in hand', async () => {
    const house = await House.open()
    const [member] = await members(house, ['a'], { receiveMaximum: 1 })
    await member!.subscribe('other')
    house.publish('first', 1, { topic: 'other' })
    house.publish('second')
    expect(await payloadsOf(member!)).toEqual([['first']])
    member!.settle()
    expect(await payloadsOf(member!)).toEqual([['first', 'second']])
  })

  it('waits no longer for a member who asks for QoS 0 instead', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], { receiveMaximum: 1 })
    for (const payload of numbers(2)) house.publish(payload)
    expect(await payloadsOf(a!)).toEqual([['0']])
    await a!.subscribe(SHARE, { qos: 0 })
    expect(await payloadsOf(a!)).toEqual([['0', '1']])
    expect(a!.packets.map(({ qos }) => qos)).toEqual([1, 0])
  })

  it('is dropped, and told, when nobody has room and it may not wait', async () => {
    const house = await House.open({ maxQueued: 2 })
    await members(house, ['a'], { receiveMaximum: 1, slow: true, maxSocketBuffer: 1 })
    for (const payload of numbers(4)) house.publish(payload)
    await Promise.resolve()
    const dropped = house.heard.filter(({ type }) => type === 'message.dropped')
    expect(dropped).toEqual([{ type: 'message.dropped', clientId: '', topic: 't', qos: 1, reason: 'session-full' }])
  })

  it('at QoS 0 goes to the next when it is too large for one, and is dropped when it is for all', async () => {
    const house = await House.open()
    const [small] = await members(house, ['small'], { maximumPacketSize: 20 })
    const [large] = await members(house, ['large'], { maximumPacketSize: 200 })
    for (const size of [100, 100, 1000]) house.publish('x'.repeat(size), 0)
    expect((await payloadsOf(small!, large!)).map(({ length }) => length)).toEqual([0, 2])
    const dropped = house.heard.filter(({ type }) => type === 'message.dropped')
    expect(dropped).toMatchObject([{ clientId: '', qos: 0, reason: 'packet-too-large' }])
  })

  it('at QoS 0 is for those who are there', async () => {
    const house = await House.open()
    const [away] = await members(house, ['away'], { expiry: FOR_EVER })
    away!.disconnect()
    house.publish('missed', 0)
    expect(house.heard.some(({ type }) => type === 'message.dropped')).toBe(false)
    const back = house.connect('away', { expiry: FOR_EVER })
    expect(await payloadsOf(back)).toEqual([[]])
  })

  it('that is refused is not given to another [MQTT-4.8.2-6]', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'])
    house.publish('1')
    house.publish('2', 2)
    await payloadsOf(a!, b!)
    a!.settle(0x97)
    b!.settle(0x83)
    a!.disconnect()
    expect(await payloadsOf(b!)).toEqual([['2']])
  })

  it('whose time is up while it waits is not delivered', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], { receiveMaximum: 1 })
    house.publish('first')
    house.publish('late', 1, { expiresAt: house.clock.now() + 1000 })
    house.publish('last')
    house.clock.advance(1000)
    expect(await drain(a!)).toEqual(['first', 'last'])
    expect(house.heard).toContainEqual({ type: 'message.expired', clientId: '', topic: 't' })
  })
})

describe('when a member leaves', () => {
  it.each([
    ['is disconnected', (client: TestClient) => client.disconnect()],
    [
      'unsubscribes and is disconnected',
      (client: TestClient) => {
        client.unsubscribe(SHARE)
        client.disconnect()
      },
    ],
  ])('what it had not acknowledged goes to another, in order: it %s', async (_how, leave) => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'])
    for (const payload of numbers(6)) house.publish(payload)
    await payloadsOf(a!, b!)
    expect(a!.settle()).toBe('0')
    leave(a!)
    expect(await payloadsOf(b!)).toEqual([['1', '3', '5', '2', '4']])
  })

  it('that goes before what is newer and waits', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'], { receiveMaximum: 2 })
    for (const payload of numbers(8)) house.publish(payload)
    await payloadsOf(a!, b!)
    a!.disconnect()
    expect(await drain(b!)).toEqual(['1', '3', '0', '2', '4', '5', '6', '7'])
  })

  it('several of them: in the order in which it was published', async () => {
    const house = await House.open()
    const [a, b, c] = await members(house, ['a', 'b', 'c'], { receiveMaximum: 3 })
    for (const payload of numbers(9)) house.publish(payload)
    await payloadsOf(a!, b!, c!)
    a!.disconnect()
    b!.disconnect()
    expect(await drain(c!)).toEqual(['2', '5', '8', '0', '1', '3', '4', '6', '7'])
  })

  it('it completes what it was sent, when it only unsubscribes [MQTT-3.10.4-3]', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'])
    for (const payload of numbers(2)) house.publish(payload)
    a!.unsubscribe(SHARE)
    for (const payload of numbers(2, 2)) house.publish(payload)
    expect(await drain(a!, b!)).toEqual(['0', '1', '2', '3'])
    expect(a!.payloads).toEqual(['0'])
  })

  it('what it was sent at QoS 2 is for nobody else, and told [MQTT-4.8.2-5]', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'])
    for (const payload of numbers(4)) house.publish(payload, 2)
    await payloadsOf(a!, b!)
    a!.settle()
    a!.disconnect()
    expect(await payloadsOf(b!)).toEqual([['1', '3']])
    expect(house.heard).toContainEqual(expect.objectContaining({ type: 'message.dropped', reason: 'session-ended' }))
  })

  it('the last one takes what waits with it', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], { receiveMaximum: 1, expiry: FOR_EVER })
    for (const payload of numbers(3)) house.publish(payload)
    a!.unsubscribe(SHARE)
    await a!.subscribe(SHARE)
    expect(await drain(a!)).toEqual(['0'])
    expect(house.store.sessions.outgoing.list()).toEqual([])
  })
})

describe('members whose sessions are kept', () => {
  const kept = { expiry: FOR_EVER, receiveMaximum: 10 }

  it('have the publisher wait for the disk; others do not', async () => {
    const house = await House.open()
    await members(house, ['kept'], kept)
    await members(house, ['clean'])
    expect([house.publish('1'), house.publish('2'), house.publish('3', 0)]).toEqual([true, false, false])
  })

  it('get what nobody was there for: whoever comes first', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'], kept)
    a!.disconnect()
    b!.disconnect()
    for (const payload of numbers(3)) expect(house.publish(payload)).toBe(true)
    const back = house.connect('b', kept)
    expect(await drain(back)).toEqual(['0', '1', '2'])
    expect(await drain(house.connect('a', kept))).toEqual([])
    expect(house.store.sessions.outgoing.list()).toEqual([])
  })

  it('are sent again what they have not acknowledged, with its identifier and DUP, when nobody else was there [MQTT-4.4.0-1]', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], kept)
    house.publish('1')
    house.publish('2', 2)
    const sent = await a!.read()
    a!.disconnect()
    const again = await house.connect('a', kept).read()
    expect(again.map(({ messageId, dup }) => [messageId, dup])).toEqual(sent.map(({ messageId }) => [messageId, true]))
  })

  it('leave it to another who is there, or comes; but not what they were sent at QoS 2 [MQTT-4.8.2-4]', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], kept)
    house.publish('1')
    house.publish('2', 2)
    await a!.read()
    a!.disconnect()
    const [b] = await members(house, ['b'])
    expect(await payloadsOf(b!)).toEqual([['1']])
    expect(await payloadsOf(house.connect('a', kept))).toEqual([['2']])
  })

  it('leave it to another when their time is up', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], { ...kept, expiry: 60 })
    house.publish('1')
    a!.disconnect()
    house.publish('2')
    const waits = house.connect('b', kept)
    await waits.subscribe(SHARE)
    waits.disconnect()
    house.clock.advance(60_000)
    expect(await drain(house.connect('b', kept))).toEqual(['1', '2'])
  })

  it.each([1, 2] as const)('find what waited after a restart, once, in order, at QoS %i', async (qos) => {
    const house = await House.open()
    const clients = await members(house, ['a', 'b'], { ...kept, receiveMaximum: 2 })
    for (const payload of numbers(8)) {
      house.publish(payload, qos)
      house.clock.advance(1)
    }
    expect(await payloadsOf(...clients)).toEqual([
      ['0', '2'],
      ['1', '3'],
    ])
    expect(clients.map((client) => client.settle())).toEqual(['0', '1'])
    await house.restart()
    const back = house.connect('a', kept)
    // Of QoS 1 it gets what b left; of QoS 2 it does not. One of those that waited had been sent to each.
    const rest = qos === 1 ? ['2', '4', '3', '5', '6', '7'] : ['2', '4', '6', '7']
    expect(await drain(back)).toEqual(rest)
    expect(await drain(house.connect('b', kept))).toEqual(qos === 1 ? [] : ['3', '5'])
    expect(house.store.sessions.outgoing.list()).toEqual([])
  })

  it('keep what a clean member has in hand, until it is acknowledged, if they kept it before', async () => {
    const house = await House.open()
    const [a] = await members(house, ['a'], kept)
    a!.disconnect()
    for (const payload of numbers(2)) house.publish(payload)
    const [clean] = await members(house, ['clean'])
    expect(await payloadsOf(clean!)).toEqual([['0', '1']])
    clean!.settle()
    await house.restart()
    expect(await drain(house.connect('a', kept))).toEqual(['1'])
  })

  it('hand over what they keep when they unsubscribe', async () => {
    const house = await House.open()
    const [a, b] = await members(house, ['a', 'b'], { ...kept, receiveMaximum: 1 })
    for (const payload of numbers(5)) house.publish(payload)
    await payloadsOf(a!, b!)
    a!.unsubscribe(SHARE)
    await house.restart()
    expect(await drain(house.connect('b', kept))).toEqual(['1', '2', '3', '4'])
    expect(await drain(house.connect('a', kept))).toEqual(['0'])
  })
})
