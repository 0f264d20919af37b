/** The emitter that Aedes would pass messages through. None do: they have a lane of their own. */

export class NoEmitter {
  on(_topic: string, _listener: unknown, done?: () => void): this {
    done?.()
    return this
  }

  removeListener(_topic: string, _listener: unknown, done?: () => void): this {
    done?.()
    return this
  }

  emit(_message: unknown, done?: () => void): void {
    done?.()
  }

  close(done?: () => void): void {
    done?.()
  }
}
