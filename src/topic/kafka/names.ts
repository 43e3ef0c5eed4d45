/** What the topics and groups of a pipe are called in Kafka. */

export interface KafkaNames {
  main: string;
  groupId(group: string): string;
  retry(group: string): string;
  dead(group: string): string;
}

export function namesOf(prefix: string, name: string): KafkaNames {
  const main = `${prefix}${name}`;
  return {
    main,
    groupId: (group) => `${prefix}${group}`,
    retry: (group) => `${main}.${group}.retry`,
    dead: (group) => `${main}.${group}.dead`,
  };
}
