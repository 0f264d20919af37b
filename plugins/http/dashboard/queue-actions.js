/** What an operator does with a queue. What destroys asks first. Each calls `done` when it is done. */

import { change, step } from './api.js'
import { attempt, confirm, tell } from './dialogs.js'
import { count, counted } from './format.js'

export const pathOf = (name) => `queues/${step(name)}`

export function pauseOrResume({ name, paused }, done) {
  return attempt(async () => {
    await change('POST', `${pathOf(name)}/${paused ? 'resume' : 'pause'}`)
    tell(paused ? `${name} is delivered again.` : `${name} is paused: nothing is delivered.`)
    await done()
  })
}

/** Destroys nothing, so it asks nothing. */
export function redrive(name, done) {
  return attempt(async () => {
    const { moved, left } = await change('POST', `${pathOf(name)}/redrive`)
    tell(`${counted(moved, 'message')} sent back from ${name}${left > 0 ? `, ${count(left)} left there` : ''}.`)
    await done()
  })
}

export async function purge(name, done) {
  const text = 'Every message that no consumer has is removed for good. This cannot be undone.'
  if (!(await confirm(`Purge ${name}?`, text, 'Purge'))) return
  await attempt(async () => {
    const { messages } = await change('POST', `${pathOf(name)}/purge`)
    tell(`${counted(messages, 'message')} removed from ${name}.`)
    await done()
  })
}

/** @param done called with the queue gone */
export async function remove(name, done) {
  const text =
    'The queue goes with every message in it. This cannot be undone. Whoever publishes to it makes a new one.'
  if (!(await confirm(`Delete ${name}?`, text, 'Delete'))) return
  await attempt(async () => {
    const { messages } = await change('DELETE', pathOf(name))
    tell(`${name} is deleted, with ${counted(messages, 'message')}.`)
    await done()
  })
}
