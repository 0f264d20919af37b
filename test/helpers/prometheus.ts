/** Reads what Prometheus reads, a broker's metrics, and what it is asked for, expressions; enough of both to compare them. */

/** Each metric's labels, by its name; of a histogram there are `…_bucket`, `…_sum` and `…_count`. */
export function metricsOf(text: string): Map<string, Set<string>> {
  const metrics = new Map<string, Set<string>>()
  const add = (name: string) => metrics.get(name) ?? metrics.set(name, new Set()).get(name)!
  for (const line of text.split('\n')) {
    const [, declared, type] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? []
    const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    if (declared !== undefined) for (const ending of endings) add(declared + ending)
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    if (name !== undefined) for (const [, label] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) add(name).add(label!)
  }
  return metrics
}

export interface Selection {
  readonly name: string
  /** By which it chooses. */
  readonly labels: string[]
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g
const WORDS = new Set(['and', 'or', 'unless', 'offset', 'bool', 'group_left', 'group_right'])

/** Every metric that a PromQL expression names, with the labels in its braces; and the labels that it groups by. */
export function selectionsOf(expr: string): { selections: Selection[]; groupings: string[] } {
  const groupings: string[] = []
  const bare = expr
    .replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(GROUPING, (_all, labels: string) => {
      groupings.push(...labels.split(',').flatMap((label) => label.trim() || []))
      return ' '
    })
  const names = bare.matchAll(/(?<![\w.{,$])([a-zA-Z_:][\w:]*)(?![\w:])(?!\s*\()\s*(?:\{([^}]*)\})?/g)
  const selections = [...names]
    .filter(([, name]) => !WORDS.has(name!))
    .map(([, name, inside = '']) => ({
      name: name!,
      labels: [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
    }))
  return { selections, groupings: [...new Set(groupings)] }
}
