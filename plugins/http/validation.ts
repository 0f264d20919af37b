/**
 * What comes in, held against the schemas of the routes. In a URL all is text, so there `5` is a number; in JSON things are what
 * they are, and a number is no text. All that is wrong is told at once.
 */

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { FastifySchemaCompiler } from 'fastify'

const OPTIONS = { allErrors: true, useDefaults: true, strict: false, validateFormats: false } as const

/** What is wrong with a request, in words. */
export class RequestInvalid extends Error {
  readonly statusCode = 400
}

export function makeValidators(): FastifySchemaCompiler<object> {
  const exact = new Ajv2020(OPTIONS)
  const fromText = new Ajv2020({ ...OPTIONS, coerceTypes: true })
  return ({ schema, httpPart }) => {
    const validate = (httpPart === 'body' ? exact : fromText).compile(schema)
    const part = httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : 'body'
    return (data: unknown) => validate(data) || { error: new RequestInvalid(describe(part, validate.errors ?? [])) }
  }
}

function describe(part: string, errors: ErrorObject[]): string {
  const lines = errors.map((error) => `${part}${error.instancePath.replaceAll('/', '.')}: ${wordsOf(error)}`)
  return [...new Set(lines)].join('; ')
}

function wordsOf({ keyword, params, message = 'is not right' }: ErrorObject): string {
  if (keyword === 'additionalProperties') return `there is no '${params.additionalProperty}'`
  if (keyword === 'required') return `'${params.missingProperty}' is missing`
  if (keyword === 'enum') return `must be one of ${params.allowedValues.join(', ')}`
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`
  return message
}
