/** Topic names and filters: section 4.7 of both specifications. */

import { describe, expect, it } from 'vitest'
import { sharedBroker } from '../helpers/broker.ts'
import { packet, rawText } from '../helpers/packets.ts'
import { connectRaw } from '../helpers/raw-client.ts'
import { arrived, expectRefused, fresh, noProperties, publish, subscribe, VERSIONS } from './support.ts'

const broker = sharedBroker()

/** Filters, what they match and what they do not. `T` stands for a level that no other test uses. */
const MATCHES: Array<[filter: string, matched: string[], missed: string[]]> = [
  ['T/a/b/#', ['T/a/b', 'T/a/b/c', 'T/a/b/c/d', 'T/a/b/'], ['T/a', 'T/a/bb', 'T/a/c/b', '/T/a/b']],
  ['T/#', ['T', 'T/', 'T/a', 'T/a/b'], ['x/T', 'TT', 'T2/a']],
  ['T/a/+', ['T/a/b', 'T/a/'], ['T/a', 'T/a/b/c', 'T/a//', 'T/b/a']],
  ['T/+', ['T/a', 'T/'], ['T', 'T/a/b', 'T//']],
  ['T/+/c', ['T/b/c', 'T//c'], ['T/c', 'T/b/b/c', 'T/b/c/']],
  ['T/+/+', ['T/a/b', 'T//'], ['T/a', 'T/a/b/c']],
  ['T/+/#', ['T/a', 'T/a/b', 'T/', 'T//'], ['T']],
  ['+/T', ['a/T', '/T', 'T/T'], ['T', 'a/b/T', 'a/T/']],
  ['+/+/T', ['//T', 'a/b/T'], ['/T', 'a/T']],
  ['/T', ['/T'], ['T', '//T', '/T/']],
  ['T/', ['T/'], ['T', 'T//']],
]

describe.each(VERSIONS)('filters on MQTT $name', ({ version }) => {
  it.each(MATCHES)(
    '[MQTT-4.7.1-1, MQTT-4.7.1-2] [3.1.1: MQTT-4.7.1-2, MQTT-4.7.1-3] %s matches %j, and not %j',
    async (filter, matched, missed) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      const name = fresh('t')
      const named = (text: string) => text.replaceAll('T', name)
      await subscribe(client, named(filter), { qos: 0 })
      for (const topic of [...matched, ...missed]) await publish(client, named(topic), 'x')
      expect((await arrived(client)).map(({ topic }) => topic)).toEqual(matched.map(named))
    },
  )

  it.each(['#', '+/T', '+/#', '+/+/T'])(
    '[MQTT-4.7.2-1] [3.1.1: MQTT-4.7.2-1] %s matches no topic that starts with $, live or retained',
    async (filter) => {
      const client = await connectRaw(broker.port, { protocolVersion: version })
      const name = fresh('t')
      const topics = [`$other/${name}`, `$other/x/${name}`, `$/${name}`, `$${name}`]
      for (const topic of topics) await publish(client, topic, 'kept', { qos: 1, retain: true })
      await subscribe(client, filter.replace('T', name), { qos: 0 })
      for (const topic of topics) await publish(client, topic, 'live')
      expect((await arrived(client)).filter(({ topic }) => topic.startsWith('$'))).toEqual([])
    },
  )

  it('[MQTT-4.7.2-1] [3.1.1: MQTT-4.7.2-1] a filter that names the $ level matches, with wildcards behind it', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const name = fresh('t')
    await subscribe(client, `$other/+/${name}`, { qos: 0 })
    await subscribe(client, `$${name}/#`, { qos: 0 })
    for (const topic of [`$other/x/${name}`, `$${name}`, `$${name}/y`]) await publish(client, topic, 'x')
    expect(await arrived(client)).toHaveLength(3)
  })

  it('[MQTT-4.7.3-2] [3.1.1: MQTT-4.7.3-2] with U+0000, and topics with it, are malformed', async () => {
    const none = noProperties(version)
    await expectRefused(broker, version, packet(0x30, rawText(0), none, 1), 0x81)
    await expectRefused(broker, version, packet(0x82, 0, 1, none, rawText(0x61, 0), 0), 0x81)
    await expectRefused(broker, version, packet(0xa2, 0, 1, none, rawText(0, 0x61)), 0x81)
  })

  it('[MQTT-4.7.3-3] [3.1.1: MQTT-4.7.3-3] of 65,535 bytes, the most that a length can say, are served', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const topics = [`${fresh('t')}/`.padEnd(65_535, 'x'), `${'é'.repeat(32_767)}x`]
    for (const topic of topics) {
      expect(Buffer.byteLength(topic)).toBe(65_535)
      expect(await subscribe(client, topic, { qos: 1 })).toBe(1)
      await publish(client, topic, 'x', { qos: 1 })
      expect((await client.next('publish')).topic).toBe(topic)
    }
  })

  it('[MQTT-4.7.3-4] [3.1.1: MQTT-4.7.3-4] are compared character by character: nothing is normalized', async () => {
    const client = await connectRaw(broker.port, { protocolVersion: version })
    const name = fresh('t')
    const alike = [
      '\u{e9}', // é as one character
      'e\u{301}', // and as two
      '\u{2126}', // the ohm sign
      '\u{3a9}', // and the letter omega
      'Case',
      'case',
      ' case',
      'case ',
      'a b',
      'a\u{a0}b',
      '\u{feff}case',
      '\u{1f600}',
      '%63ase',
      '\u{fffd}',
    ].map((text) => `${name}/${text}`)
    for (const each of alike) {
      await subscribe(client, each, { qos: 0 })
      for (const topic of alike) await publish(client, topic, 'x')
      expect((await arrived(client)).map(({ topic }) => topic)).toEqual([each])
      client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [each] })
      await client.next('unsuback')
    }
  })
})
