/** A form that publishes one message. */

import { change } from './api.js'
import { attempt, tell } from './dialogs.js'
import { $ } from './dom.js'

const form = $('#publish-form')

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { topic, payload, qos, retain } = form.elements
  const publication = {
    ...{ topic: topic.value, payload: payload.value },
    ...{ qos: Number(qos.value), retain: retain.checked },
  }
  const submit = $('button', form)
  submit.disabled = true
  await attempt(async () => {
    await change('POST', 'publish', publication)
    tell(`Published to ${publication.topic}.`)
  })
  submit.disabled = false
  submit.focus()
})
