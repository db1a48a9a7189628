import type { RecordLike, ResourceLike, ScopeLike } from "./sdk-types.js";

/** The records of one resource and one scope: a request names both once. */
export interface Group {
  readonly resource: ResourceLike;
  readonly scope: ScopeLike;
}

/** The groups that are kept although no event may need them. */
const KEPT = 1000;

/**
 * Numbers the pairs of resource and scope. Each event has its number in place of both. A program that
 * makes scopes without end has their groups forgotten whenever no event is held.
 */
export class Groups {
  readonly #hasEvents: () => boolean;
  #groups: Group[] = [];
  readonly #byResource = new Map<ResourceLike, Map<string, number>>();
  /** The last group: mostly the next record's as well. */
  #last = -1;

  /** `hasEvents` tells whether the bus holds any. */
  constructor(hasEvents: () => boolean) {
    this.#hasEvents = hasEvents;
  }

  indexOf({ resource, instrumentationScope: scope }: RecordLike): number {
    const last = this.#groups[this.#last];
    if (last?.scope === scope && last.resource === resource) return this.#last;
    // Not by identity: programs make tracers and loggers of the same name again and again.
    const { name, version, schemaUrl, attributes } = scope;
    const key = JSON.stringify([name, version, schemaUrl, attributes]);
    const known = this.#byResource.get(resource)?.get(key);
    this.#last = known ?? this.#add({ resource, scope }, key);
    return this.#last;
  }

  #add(group: Group, key: string): number {
    if (this.#groups.length >= KEPT && !this.#hasEvents()) {
      this.#groups = [];
      this.#byResource.clear();
    }
    const index = this.#groups.push(group) - 1;
    getOrAdd(this.#byResource, group.resource, () => new Map<string, number>()).set(key, index);
    return index;
  }

  get size(): number {
    return this.#groups.length;
  }

  at(index: number): Group {
    return this.#groups[index] as Group;
  }
}

/** The records of a request, by resource and then by scope, in the order of the first of each. */
export type Grouped<T> = Map<ResourceLike, Map<ScopeLike, T[]>>;

/** Adds a record to its resource and scope. */
export function addTo<T>(grouped: Grouped<T>, { resource, scope }: Group, record: T): void {
  const scopes = getOrAdd(grouped, resource, () => new Map<ScopeLike, T[]>());
  getOrAdd(scopes, scope, () => []).push(record);
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** The attributes that are still being found out. */
export function pendingResources(resources: Iterable<ResourceLike>): Promise<void>[] {
  const pending = [...new Set(resources)].filter((it) => it.asyncAttributesPending);
  return pending.flatMap((it) => it.waitForAsyncAttributes?.() ?? []);
}
