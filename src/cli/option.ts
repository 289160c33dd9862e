/** Options and positionals as tables, and the types of what is typed for them. */

export interface Option {
  /** `boolean` takes no value; with `default: true` it is written `--no-NAME`. `integer` is 0 or more. */
  readonly type: "boolean" | "string" | "integer"
  readonly help: string
  /** One letter. */
  readonly alias?: string
  /** What the value is called in help. */
  readonly placeholder?: string
  readonly repeats?: true
  readonly choices?: readonly string[]
  readonly default?: boolean | string | number
}
export type Options = Readonly<Record<string, Option>>

/** A word after the command; `label` is how help writes it, by default the key in capitals. */
export type Positional =
  | string
  | { readonly help: string; readonly label?: string; readonly optional?: true; readonly repeats?: true }
/** In the order in which they are typed. One that may be left out or repeated comes last. */
export type Positionals = Readonly<Record<string, Positional>>

type Optional<T, K extends keyof T> = Omit<T, K> & { readonly [Key in K]?: T[Key] }
type Flatten<T> = { readonly [Key in keyof T]: T[Key] }

type One<O extends Option> = O extends { choices: readonly (infer Choice)[] }
  ? Choice
  : O extends { type: "integer" }
    ? number
    : string
type OptionValue<O extends Option> = O extends { type: "boolean" }
  ? boolean
  : O extends { repeats: true }
    ? readonly One<O>[]
    : One<O>
type KeysThatMayLack<O extends Options> = {
  [Key in keyof O]: O[Key] extends { type: "boolean" } | { repeats: true } | { default: string | number }
    ? never
    : Key
}[keyof O]
type OptionValues<O extends Options> = Optional<{ [Key in keyof O]: OptionValue<O[Key]> }, KeysThatMayLack<O>>

type PositionalValue<P extends Positional> = P extends { repeats: true } ? readonly string[] : string
type PositionalsThatMayLack<P extends Positionals> = {
  [Key in keyof P]: P[Key] extends { repeats: true } ? never : P[Key] extends { optional: true } ? Key : never
}[keyof P]
type PositionalValues<P extends Positionals> = Optional<
  { [Key in keyof P]: PositionalValue<P[Key]> },
  PositionalsThatMayLack<P>
>

/** What `run` gets: absent, not undefined, where nothing was given; repeated ones are lists. */
export type Arguments<P extends Positionals, O extends Options> = Flatten<
  PositionalValues<P> & OptionValues<O>
> & { readonly rest?: readonly string[] }

/** `cas` → `--cas`, `ifIdentity` → `--if-identity`, `C` → `-C`, a default of true → `--no-…`. */
export function flagOf(key: string, option: Option): string {
  if (key.length === 1) return `-${key}`
  return option.default === true ? `--no-${kebab(key)}` : `--${kebab(key)}`
}

/** `ifIdentity` → `if-identity`; `C` stays. */
export function kebab(key: string): string {
  return key.replace(/(?<=.)[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** How help writes a positional: `NAME`, unless it says otherwise. */
export function labelOf(key: string, positional: Positional): string {
  return (typeof positional === "string" ? undefined : positional.label) ?? key.toUpperCase()
}
