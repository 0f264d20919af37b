/** One client, or the session of one that is away, in a sheet: its connection, its session, its subscriptions. */

import { get, step } from './api.js'
import { endSession, kick } from './client-actions.js'
import { attempt, open } from './dialogs.js'
import { $, el, setText, showFacts } from './dom.js'
import { showEventsOf } from './events.js'
import { count, duration, moment } from './format.js'

const dialog = $('#client')

/** @param changed called after something was done with it */
export function openClient(clientId, changed) {
  const done = async () => {
    dialog.close()
    await changed()
  }
  return attempt(async () => {
    const client = await get(`clients/${step(clientId)}`)
    setText($('h2', dialog), clientId)
    showFacts($('dl', dialog), factsOf(client))
    showSubscriptions(client)
    $('.kick', dialog).hidden = !client.connected
    $('.kick', dialog).onclick = () => kick(clientId, done)
    $('.end', dialog).onclick = () => endSession(clientId, done)
    $('.events', dialog).onclick = () => {
      dialog.close()
      showEventsOf(clientId)
    }
    open(dialog, null)
  })
}

function factsOf({ username, address, protocol, expirySeconds, connected, disconnectedAt, inflight, waiting }) {
  return [
    ['State', connected ? 'connected' : `away since ${moment(disconnectedAt)}`],
    ['User', username ?? 'none'],
    ['Address', address],
    ['MQTT', protocol],
    ['Session lasts', lasting(expirySeconds)],
    ['In flight', count(inflight)],
    ['Waiting', count(waiting)],
  ]
}

/** How long a session outlives its connection. */
function lasting(seconds) {
  if (seconds === null) return 'for ever'
  return seconds === 0 ? 'while connected' : `${duration(seconds)} longer`
}

function showSubscriptions({ subscribed }) {
  const entries = subscribed.map((one) => {
    return el('li', {}, el('code', {}, one.filter), ' ', el('span', { class: 'quiet' }, optionsOf(one)))
  })
  const none = el('li', { class: 'quiet' }, 'There are none.')
  $('.subscribed', dialog).replaceChildren(...(entries.length > 0 ? entries : [none]))
}

function optionsOf({ qos, noLocal, retainAsPublished, identifier }) {
  const options = [
    `QoS ${qos}`,
    noLocal && 'no local',
    retainAsPublished && 'retain as published',
    identifier !== null && `identifier ${identifier}`,
  ]
  return options.filter(Boolean).join(', ')
}
