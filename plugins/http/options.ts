/** Options of HTTP, as src/config/http.ts has them. */

export interface HttpOptions {
  readonly host: string
  /** Null: HTTP is not offered. 0: any free one. */
  readonly port: number | null
  /** Tokens and their roles; null: whoever reaches it may do everything, which takes a broker that is open itself. */
  readonly tokenFile: string | null
  /** Host names by which it is reached, besides its addresses and localhost. */
  readonly names: readonly string[]
  /** Whether MQTT over WebSocket is offered at /mqtt. */
  readonly mqtt: boolean
  /** Other origins whose pages may connect to /mqtt. */
  readonly origins: readonly string[]
}
