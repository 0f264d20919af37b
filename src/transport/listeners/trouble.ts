/** Why a listener cannot be opened, for people: what the system said, and what that means here. */

const MEANINGS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there, or, for a Unix socket, a file is in its place',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'it is not allowed; ports below 1024 are for root, unless the system says otherwise',
  ENOTFOUND: 'there is no such host name',
  ENOENT: 'its directory does not exist',
  EINVAL: 'the path of a Unix socket may be too long for this system',
}

export function troubleOf({ code, message }: NodeJS.ErrnoException): string {
  const meaning = MEANINGS[code ?? '']
  return meaning === undefined ? message : `${message}: ${meaning}`
}
