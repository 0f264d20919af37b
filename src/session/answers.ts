/** What a client answers to the messages that it is sent: PUBACK at QoS 1; PUBREC and then PUBCOMP at QoS 2. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { PUBREL, writeAcknowledgement } from '../wire/acknowledgement-writer.ts'
import { type Delivery, RELEASED, SENT, settle } from './delivery.ts'
import type { Sending } from './sending.ts'

/** PUBACK from the client. */
export function acknowledged(sending: Sending, packetId: number, reasonCode: number): void {
  const delivery = sending.inflight.get(packetId)
  if (delivery === undefined) return // a late one for a message that was given up
  if (delivery.qos !== 1) throw new Refusal(ReasonCode.ProtocolError, 'PUBACK for a message of QoS 2')
  sending.finish(delivery)
  settled(sending, delivery, reasonCode)
  sending.pump()
}

/** PUBREC from the client. */
export function received(sending: Sending, packetId: number, reasonCode: number): void {
  const carrier = sending.transmitter.carrier
  if (carrier === null) return
  const delivery = sending.inflight.get(packetId)
  if (delivery === undefined) {
    if (reasonCode >= 0x80) return
    const answer = carrier.version === 5 ? ReasonCode.PacketIdentifierNotFound : 0
    writeAcknowledgement(carrier.out, carrier.version, PUBREL, packetId, answer)
    return
  }
  if (delivery.qos !== 2) throw new Refusal(ReasonCode.ProtocolError, 'PUBREC for a message of QoS 1')
  if (reasonCode >= 0x80) {
    sending.finish(delivery) // the exchange ends here [MQTT-4.3.3-4]
    settled(sending, delivery, reasonCode)
    sending.pump()
    return
  }
  if (delivery.state === SENT) {
    sending.release(delivery)
    settled(sending, delivery, reasonCode)
  }
  sending.transmitter.send(carrier, delivery)
}

/** PUBCOMP from the client. */
export function completed(sending: Sending, packetId: number): void {
  const delivery = sending.inflight.get(packetId)
  if (delivery === undefined) return
  if (delivery.state !== RELEASED) throw new Refusal(ReasonCode.ProtocolError, 'PUBCOMP before PUBREC')
  sending.finish(delivery)
  sending.pump()
}

/** The client has settled a message: tell whoever handed it over. */
function settled(sending: Sending, delivery: Delivery, reasonCode: number): void {
  const refused = reasonCode >= 0x80
  settle(delivery, refused ? 'refused' : 'acknowledged', reasonCode)
  const { events, clientId } = sending.parts
  if (delivery.own && !refused && events.wants('message.acknowledged')) {
    events.emit('message.acknowledged', { clientId, topic: delivery.topic, qos: delivery.qos })
  }
}
