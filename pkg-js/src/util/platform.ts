// Types of the platform, as the user's configuration has them, by `lib` or by packages such as
// `@types/node`. Named directly, each would be an error where it is missing.

/** The instances of a global class; `Otherwise` without one. */
type Instance<Name extends string, Otherwise> = typeof globalThis extends {
  readonly [N in Name]: { readonly prototype: infer T };
}
  ? T
  : Otherwise;

/** An `AbortSignal`. */
export type Signal = Instance<
  "AbortSignal",
  { readonly aborted: boolean; readonly reason: unknown; throwIfAborted(): void }
>;

/** A `URL`. */
export type Url = Instance<"URL", { readonly href: string }>;

/** A `WebAssembly.Module`. */
export type WasmModule = typeof globalThis extends {
  readonly WebAssembly: { readonly Module: { readonly prototype: infer Module } };
}
  ? Module
  : object;

/** A `Uint8Array` on a buffer that is not shared; that is `Uint8Array<ArrayBuffer>` since TypeScript 5.7. */
export type Bytes = ReturnType<Uint8Array["slice"]>;

/** The parts of an HTTP response that say how to go on. A `Response` has them. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  readonly type?: string | undefined;
  readonly headers: { get(name: string): string | null };
  readonly body: { cancel(): Promise<void> } | null;
}

/** A `Response`, to which `fetch` resolves. */
export type FetchResponse = Instance<"Response", HttpResponse>;

/** A `RequestInit`, the second argument of `fetch`. */
export type FetchInit = typeof globalThis extends {
  fetch(input: never, init?: infer Init): unknown;
}
  ? NonNullable<Init>
  : { readonly [option: string]: unknown };

/** A `WritableStream`. */
export type EventStream = Instance<
  "WritableStream",
  { readonly locked: boolean; abort(reason?: unknown): Promise<void>; close(): Promise<void> }
>;

/** `Headers`. */
export type FetchHeaders = Instance<"Headers", never>;
