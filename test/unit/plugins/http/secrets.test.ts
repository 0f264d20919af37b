import { expect, it } from 'vitest'
import { withoutSecrets } from '../../../../plugins/http/secrets.ts'

it('of addresses, passwords and queries are hidden, wherever they stand; all else is as it was', () => {
  const config = {
    httpAuth: { url: 'https://auth.example.com/check?key=s3cret&x=s3cret', timeout: 5 },
    deep: [{ list: ['redis://:s3cret@10.0.0.1:6379/0', 'rediss://me:s3@cret@host?tls=s3cret#s3cret'] }],
    none: null,
    plain: ['a/b?c', 'who@example.com', 'https://example.com/jwks.json'],
  }
  const shown = withoutSecrets(config)
  expect(JSON.stringify(shown)).not.toMatch(/s3|cret/)
  expect(shown).toEqual({
    httpAuth: { url: 'https://auth.example.com/check?…', timeout: 5 },
    deep: [{ list: ['redis://…@10.0.0.1:6379/0', 'rediss://…@host?…'] }],
    none: null,
    plain: config.plain,
  })
})
