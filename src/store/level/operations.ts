/** What is to be written in one batch, in order; of two that concern the same key the later counts. */

export class Operations {
  readonly keys: string[] = []
  /** null: remove the key. */
  readonly values: Array<Buffer | null> = []

  get length(): number {
    return this.keys.length
  }

  put(key: string, value: Buffer): void {
    this.keys.push(key)
    this.values.push(value)
  }

  del(key: string): void {
    this.keys.push(key)
    this.values.push(null)
  }

  /** All of `others` after what is here. */
  add(others: Operations): void {
    for (let i = 0; i < others.length; i++) {
      this.keys.push(others.keys[i]!)
      this.values.push(others.values[i]!)
    }
  }
}
