/**
 * What Mosquitto 2.0.11 makes of ACL files: found out by asking it (test/integration/acl-mosquitto.test.ts asks it again,
 * where it is installed), and what Eventflow is held to (acl-file.test.ts).
 */

export interface Question {
  user: string | null
  clientId?: string
  action: 'publish' | 'subscribe'
  topic: string
  allowed: boolean
  /** Where Eventflow differs, for safety's sake: what it says instead. */
  here?: boolean
}

export interface AclCase {
  what: string
  acl: string
  questions: Question[]
}

type Row = [user: string | null, action: 'publish' | 'subscribe', topic: string, allowed: boolean]

function rows(...list: Row[]): Question[] {
  return list.map(([user, action, topic, allowed]) => ({ user, action, topic, allowed }))
}

export const ACL_CASES: AclCase[] = [
  {
    what: 'topics before any user are for clients without a user name alone',
    acl: 'topic open\nuser ada\ntopic ada/#\n',
    questions: rows(
      [null, 'publish', 'open', true],
      [null, 'subscribe', 'open', true],
      [null, 'publish', 'ada/x', false],
      ['ada', 'publish', 'open', false],
      ['ada', 'publish', 'ada/x', true],
      ['ada', 'publish', 'ada', true],
      ['ada', 'subscribe', 'ada/x/y', true],
      ['bob', 'publish', 'ada/x', false],
      ['bob', 'subscribe', 'open', false],
    ),
  },
  {
    what: 'read, write, readwrite and no word for both',
    acl: 'user ada\ntopic read r\ntopic write w\ntopic readwrite rw\ntopic both\n',
    questions: rows(
      ['ada', 'subscribe', 'r', true],
      ['ada', 'publish', 'r', false],
      ['ada', 'subscribe', 'w', false],
      ['ada', 'publish', 'w', true],
      ['ada', 'subscribe', 'rw', true],
      ['ada', 'publish', 'rw', true],
      ['ada', 'subscribe', 'both', true],
      ['ada', 'publish', 'both', true],
    ),
  },
  {
    what: 'deny wins over what allows, wherever it stands',
    acl: 'user ada\ntopic a/#\ntopic deny a/secret\ntopic read a/secret\n',
    questions: rows(
      ['ada', 'publish', 'a/x', true],
      ['ada', 'publish', 'a/secret', false],
      ['ada', 'subscribe', 'a/secret', false],
      ['ada', 'publish', 'a/secret/below', true],
    ),
  },
  {
    what: 'topics of a user may stand in several places',
    acl: 'user ada\ntopic a\nuser bob\ntopic b\nuser ada\ntopic c\n',
    questions: rows(
      ['ada', 'publish', 'a', true],
      ['ada', 'publish', 'c', true],
      ['ada', 'publish', 'b', false],
      ['bob', 'publish', 'b', true],
      ['bob', 'publish', 'c', false],
    ),
  },
  {
    what: 'patterns are for everybody, wherever they stand',
    acl: 'user ada\ntopic a\npattern write dev/%c/up\npattern read dev/%c/down\npattern home/%u/#\npattern read news\n',
    questions: [
      { user: 'ada', clientId: 'c1', action: 'publish', topic: 'dev/c1/up', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'dev/c1/up', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'subscribe', topic: 'dev/c1/up', allowed: false },
      { user: 'bob', clientId: 'c1', action: 'subscribe', topic: 'dev/c1/down', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'dev/c2/up', allowed: false },
      { user: null, clientId: 'c1', action: 'publish', topic: 'dev/c1/up', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'home/bob/x', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'home/ada/x', allowed: false },
      { user: null, clientId: 'c1', action: 'publish', topic: 'home//x', allowed: false },
      { user: null, clientId: 'c1', action: 'publish', topic: 'home/%u/x', allowed: false },
      { user: 'bob', clientId: 'c1', action: 'subscribe', topic: 'news', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'news', allowed: false },
    ],
  },
  {
    what: 'patterns are tried after the topics of a user: those have the last word',
    acl: 'pattern readwrite %u/#\npattern deny %u/locked\nuser ada\ntopic deny ada/no\ntopic ada/locked\n',
    questions: rows(
      ['ada', 'publish', 'ada/x', true],
      ['ada', 'publish', 'ada/no', false],
      ['ada', 'publish', 'ada/locked', true],
      ['bob', 'publish', 'bob/locked', false],
      ['bob', 'publish', 'bob/no', true],
    ),
  },
  {
    what: 'a pattern may have its placeholder in the middle of a level, and several',
    acl: 'pattern dev-%c/%u-x\n',
    questions: [
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'dev-c1/bob-x', allowed: true },
      { user: 'bob', clientId: 'c1', action: 'publish', topic: 'dev-c2/bob-x', allowed: false },
    ],
  },
  {
    what: '%c and %u in a topic line are these letters',
    acl: 'user ada\ntopic x/%c\ntopic y/%u\n',
    questions: [
      { user: 'ada', clientId: 'c1', action: 'publish', topic: 'x/c1', allowed: false },
      { user: 'ada', clientId: 'c1', action: 'publish', topic: 'x/%c', allowed: true },
      { user: 'ada', clientId: 'c1', action: 'publish', topic: 'y/ada', allowed: false },
    ],
  },
  {
    what: 'where there are patterns, names with wildcards are given nothing by them',
    acl: 'user ada\ntopic a\nuser a+b\ntopic a\npattern read news\npattern p/%c\npattern q/%u\n',
    questions: [
      { user: 'ada', clientId: '+', action: 'publish', topic: 'p/x', allowed: false },
      { user: 'ada', clientId: '+', action: 'subscribe', topic: 'p/x', allowed: false },
      { user: 'ada', clientId: '#', action: 'publish', topic: 'p/x/y', allowed: false },
      { user: 'ada', clientId: '+', action: 'subscribe', topic: 'news', allowed: false },
      { user: 'ada', clientId: '+', action: 'publish', topic: 'a', allowed: true },
      { user: 'a+b', clientId: 'c1', action: 'publish', topic: 'a', allowed: true },
      { user: 'a+b', clientId: 'c1', action: 'publish', topic: 'p/c1', allowed: false },
    ],
  },
  {
    what: 'a name with a slash spans levels for Mosquitto, and is given nothing here',
    acl: 'pattern p/%c/x\npattern q/%u/x\npattern r/#\npattern deny r/%c/y\n',
    questions: [
      { user: 'ada', clientId: 'a/b', action: 'publish', topic: 'p/a/b/x', allowed: true, here: false },
      { user: 'a/b', clientId: 'c', action: 'publish', topic: 'q/a/b/x', allowed: true, here: false },
      { user: 'ada', clientId: 'a/b', action: 'publish', topic: 'r/a/b/y', allowed: false },
      { user: 'ada', clientId: 'a/b', action: 'publish', topic: 'r/z', allowed: true, here: false },
    ],
  },
  {
    what: 'a wildcard at the start matches no topic that starts with $',
    acl: 'user ada\ntopic #\nuser bob\ntopic $x/#\nuser eve\ntopic +/y\n',
    questions: rows(
      ['ada', 'publish', '$x/y', false],
      ['ada', 'subscribe', '$x/y', false],
      ['ada', 'publish', 'x/y', true],
      ['bob', 'publish', '$x/y', true],
      ['bob', 'publish', 'x/y', false],
      ['eve', 'publish', '$x/y', false],
      ['eve', 'publish', 'x/y', true],
    ),
  },
  {
    what: 'comments, blank lines, spaces around and within, and line ends of Windows',
    acl: '# users\r\n\r\n  user   Ada Lovelace  \r\n  topic   read   a b/c  \r\ntopic  x\r\n#topic y\r\n',
    questions: rows(
      ['Ada Lovelace', 'subscribe', 'a b/c', true],
      ['Ada Lovelace', 'publish', 'a b/c', false],
      ['Ada Lovelace', 'publish', 'x', true],
      ['Ada Lovelace', 'publish', 'y', false],
    ),
  },
  {
    what: 'a file without a line denies everything',
    acl: '# nothing\n',
    questions: rows([null, 'publish', 'a', false], ['ada', 'subscribe', 'a', false]),
  },
]

/** Files that Mosquitto does not start with, and the line that is wrong. */
export const BROKEN_ACLS: Array<{ acl: string; line: number }> = [
  { acl: 'topic\n', line: 1 },
  { acl: 'user ada\ntopic reed a\n', line: 2 },
  { acl: 'user ada\n\ntopic read a#\n', line: 3 },
  { acl: 'user ada\ntopic read a/#/b\n', line: 2 },
  { acl: 'user\ntopic a\n', line: 1 },
  { acl: 'pattern\n', line: 1 },
  { acl: 'allow ada a\n', line: 1 },
  { acl: 'user ada\ntopic a\n  # a comment must begin its line\n', line: 3 },
  { acl: 'user ada\ntopic a b\n', line: 2 },
]
