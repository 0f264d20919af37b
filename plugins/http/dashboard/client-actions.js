/** What an operator does with a client or its session; each asks first, and calls `done` when it is done. */

import { change, step } from './api.js'
import { attempt, confirm, tell } from './dialogs.js'

export async function kick(clientId, done) {
  const text = 'It is disconnected. Its session stays, its will is published, and it may connect again.'
  if (!(await confirm(`Kick ${clientId}?`, text, 'Kick'))) return
  await attempt(async () => {
    await change('DELETE', `clients/${step(clientId)}`)
    tell(`${clientId} was disconnected.`)
    await done()
  })
}

export async function endSession(clientId, done) {
  const text =
    'Its subscriptions go, and every message that waits for it. If it is connected it is disconnected. This cannot be undone.'
  if (!(await confirm(`End the session of ${clientId}?`, text, 'End session'))) return
  await attempt(async () => {
    await change('DELETE', `sessions/${step(clientId)}`)
    tell(`The session of ${clientId} has ended.`)
    await done()
  })
}
