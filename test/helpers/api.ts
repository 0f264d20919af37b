/** A broker with its HTTP API, and calls of it whose answers are held against the document that describes them. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'vitest'
import { startBroker } from './broker.ts'

// biome-ignore lint/suspicious/noExplicitAny: what the API answers, which tests look into as they please
export type Json = any

export interface Answer {
  readonly status: number
  /** Its media type, without parameters. */
  readonly type: string
  readonly headers: Headers
  /** What was answered as JSON; else the text. */
  readonly json: Json
}

export interface Operation {
  operationId: string
  summary: string
  security: unknown
  parameters?: Array<{ in: string; name: string }>
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

export interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
}

const ajv = new Ajv2020({ strict: false, allErrors: true })

export async function startApi(config: object = {}, headers: Record<string, string> = {}) {
  const broker = await startBroker({ http: { port: 0 }, ...config })
  const url = broker.httpUrl!
  const document = (await (await fetch(`${url}/api/v1/openapi.json`, { headers })).json()) as Document
  /** Operations of the document that were called, as `GET /api/v1/queues/{name}`. */
  const called = new Set<string>()
  const ask = async (method: string, path: string, init: RequestInit = {}): Promise<Answer> => {
    const answer = await fetch(url + path, { method, ...init, headers: { ...headers, ...init.headers } })
    const text = await answer.text()
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    const json = type.endsWith('json') ? JSON.parse(text) : text
    const found = { status: answer.status, type, headers: answer.headers, json }
    called.add(described(document, method, path, found))
    return found
  }
  const get = (path: string): Promise<Answer> => ask('GET', path)
  const post = (path: string, body?: object): Promise<Answer> =>
    ask('POST', path, body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  return { broker, url, document, called, ask, get, post }
}

/** Checks that the document says that this may be answered. Returns the operation. */
function described({ paths }: Document, method: string, path: string, { status, type, json }: Answer): string {
  const bare = path.split('?')[0]!
  const known = Object.keys(paths).find((one) => new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(bare))
  const operation = known === undefined ? undefined : paths[known]![method.toLowerCase()]
  if (operation === undefined) {
    expect([method, path, status, type]).toEqual([method, path, status, 'application/problem+json'])
    return ''
  }
  const answer = operation.responses[status] ?? operation.responses.default!
  const schema = answer.content?.[type]?.schema
  if (status !== 204)
    expect([method, path, status, type, schema]).toEqual([method, path, status, type, expect.anything()])
  if (schema !== undefined) expect(ajv.validate(schema, json), `${method} ${path}: ${ajv.errorsText()}`).toBe(true)
  return `${method} ${known}`
}
