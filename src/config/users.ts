/** Whether there are users: anybody who has to say who they are. Where there are none, everyone is let in. */

interface Given {
  readonly access: { readonly passwordFile?: unknown; readonly scramFile?: unknown; readonly certificateUser?: unknown }
  readonly jwt?: unknown
  readonly httpAuth?: unknown
}

/** Takes what is not checked yet, too: a value that is wrong by itself counts as given. */
export function hasUsers({ access, jwt, httpAuth }: Given): boolean {
  const files = [access.passwordFile, access.scramFile]
  if (files.some((file) => file !== null && file !== undefined)) return true
  if (access.certificateUser !== 'none' && access.certificateUser !== undefined) return true
  return (jwt !== null && jwt !== undefined) || (httpAuth !== null && httpAuth !== undefined)
}
