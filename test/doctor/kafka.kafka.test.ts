import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type Admin, ResourcePatternTypes } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { examineKafka } from '../../src/doctor/kafka.ts';
import { topicsOf } from '../../src/doctor/kafka-topics.ts';
import { createLogger } from '../../src/log.ts';
import { type KafkaCluster, openKafka } from '../../src/topic/kafka/client.ts';
import { ensureTopics } from '../../src/topic/kafka/topics.ts';
import { freePort } from '../support/free-port.ts';
import { createAuthority } from '../support/kafka/certificates.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { checksOf, faults, forever, load, named } from './looking.ts';

const password = 'visibly-fake-password';
let prefixes = 0;
const newPrefix = () => `doctor${prefixes++}.`;

function settings(brokers: string[], more: Record<string, string> = {}): Record<string, string> {
  const kafka = { TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: brokers.join(',') };
  return { ...kafka, TC_KAFKA_TOPIC_PREFIX: newPrefix(), TC_KAFKA_PARTITIONS: '2', ...more };
}

function look(env: Record<string, string>) {
  const { config } = load(env);
  return checksOf((list) => examineKafka(list, config, forever));
}

function openCluster(brokers: string[]): KafkaCluster {
  const common = { clientId: 'administrator', tls: null, sasl: null, sendTimeoutMs: 10_000 };
  return openKafka({ ...common, brokers, log: createLogger('silent') });
}

describeKafka('a cluster that asks nobody who they are', () => {
  let kafka: TestKafka;
  let cluster: KafkaCluster;
  let admin: Admin;
  beforeAll(async () => {
    kafka = await startKafka();
    cluster = openCluster(kafka.brokers);
    admin = await cluster.admin();
  });
  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  it('is all right before the first start, and no topic is made', async () => {
    const env = settings(kafka.brokers);
    const checks = await look(env);
    expect(faults(checks)).toEqual([]);
    expect(named(checks, 'kafka_connection').sentence).toMatch(/of one broker answers \(unencrypted, without a user\)/);
    expect(named(checks, 'kafka_topics').sentence).toMatch(/^not there yet, and made by the first start/);
    expect(named(checks, 'kafka_rights').sentence).toContain('no ACLs');
    expect((await admin.listTopics()).filter((name) => name.startsWith(env.TC_KAFKA_TOPIC_PREFIX!))).toEqual([]);
  });

  it('with topics of one replica is warned of, and they fit', async () => {
    const env = settings(kafka.brokers);
    const { specs } = topicsOf(load(env).config);
    await ensureTopics(cluster, specs);
    const checks = await look(env);
    expect(faults(checks)).toEqual(['warning kafka_replicas']);
    expect(named(checks, 'kafka_topics').sentence).toMatch(new RegExp(`^${specs.length} topics are there`));
    expect(named(checks, 'kafka_leaders').outcome).toBe('ok');
    expect(named(checks, 'kafka_groups').sentence).toContain('has 0 members');
  });

  it('with topics that do not fit, each is a failure with what mends it', async () => {
    const env = settings(kafka.brokers, { TC_ROLES: 'capture' });
    const { specs } = topicsOf(load(env).config);
    const smaller = { maxMessageBytes: 1_000_000 };
    await ensureTopics(
      cluster,
      specs.map((spec) => (spec.cleanup === 'delete' ? { ...spec, ...smaller } : spec)),
    );
    const checks = await look({ ...env, TC_KAFKA_PARTITIONS: '3' });
    expect(checks.filter(({ name }) => name === 'kafka_topic_partitions')).toHaveLength(2);
    const small = (await look(env)).filter(({ name }) => name === 'kafka_topic_messages');
    expect(small).toHaveLength(2);
    expect(small[0]!.sentence).toContain('--add-config max.message.bytes=');
  });

  it('can not give topics more replicas than it has brokers', async () => {
    const checks = await look(settings(kafka.brokers, { TC_KAFKA_REPLICATION_FACTOR: '3' }));
    const refused = checks.find(({ outcome }) => outcome === 'failure')!;
    expect(refused.sentence).toMatch(/may be created: .*set kafka\.replicationFactor/);
    expect(refused.exitCode).toBe(3);
  });

  it('takes no session timeout and no message that its own limits forbid', async () => {
    const check = named(
      await look(settings(kafka.brokers, { TC_KAFKA_SESSION_TIMEOUT: '1s' })),
      'kafka_session_timeout',
    );
    expect(check).toMatchObject({ outcome: 'failure', remedy: 'set kafka.sessionTimeout to 6s' });
    const large = await look(settings(kafka.brokers, { TC_KAFKA_MAX_MESSAGE_SIZE: '200MiB' }));
    const request = named(large, 'kafka_request_size');
    expect(request).toMatchObject({ outcome: 'failure', remedy: 'set kafka.maxMessageSize to 104726528B or less' });
  });

  it('is reached by one address that answers, and the others are named', async () => {
    const port = await freePort();
    const some = await look(settings([...kafka.brokers, `127.0.0.1:${port}`, 'nobody.invalid:9092']));
    const brokers = named(some, 'kafka_brokers');
    expect(brokers.outcome).toBe('warning');
    expect(brokers.sentence).toMatch(
      new RegExp(`127\\.0\\.0\\.1:${port}: nobody listens there .*nobody\\.invalid:9092: `),
    );
    const none = await look(settings([`127.0.0.1:${port}`]));
    expect(none).toHaveLength(1);
    expect(none[0]).toMatchObject({ name: 'kafka_brokers', outcome: 'failure', exitCode: 5 });
  });
});

describeKafka('a cluster that sends its clients elsewhere', () => {
  it('is a failure that names the address', async () => {
    const advertisedPort = await freePort();
    const kafka = await startKafka({ advertisedPort });
    try {
      const checks = await look(settings([`127.0.0.1:${kafka.listenerPort}`]));
      const check = named(checks, 'kafka_advertised');
      expect(check).toMatchObject({ outcome: 'failure', exitCode: 3 });
      expect(check.sentence).toContain(`127.0.0.1:${advertisedPort}`);
      expect(check.sentence).toContain('set advertised.listeners');
    } finally {
      await kafka.stop();
    }
  });
});

describeKafka('a cluster that asks who we are, over TLS', () => {
  let kafka: TestKafka;
  let administrator: KafkaCluster;
  let dir: string;
  let secure: Record<string, string>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
    const authority = await createAuthority();
    try {
      const tls = await authority.sign('broker');
      writeFileSync(join(dir, 'ca.pem'), authority.ca);
      kafka = await startKafka({
        users: { writer: password, nobody: password },
        tls,
        config: {
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          'super.users': 'User:ANONYMOUS;User:writer',
        },
      });
    } finally {
      await authority.remove();
    }
    administrator = openCluster(kafka.openBrokers);
    await administrator.admin();
    const tls = { TC_KAFKA_TLS: 'on', TC_KAFKA_TLS_CA: join(dir, 'ca.pem') };
    secure = { ...tls, ...as('writer') };
  });
  afterAll(async () => {
    await administrator?.close();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const as = (user: string, word = password) => ({
    ...{ TC_KAFKA_SASL_MECHANISM: 'scram-sha-256', TC_KAFKA_SASL_USERNAME: user, TC_KAFKA_SASL_PASSWORD: word },
  });

  it('is all right with both', async () => {
    const checks = await look(settings(kafka.brokers, secure));
    expect(faults(checks)).toEqual([]);
    expect(named(checks, 'kafka_connection').sentence).toContain('(encrypted, as writer)');
    expect(named(checks, 'kafka_rights').sentence).toContain('only a write would tell');
  });

  it.each([
    ['a wrong password', () => as('writer', 'another-fake-password'), 'kafka_auth', /kafka\.saslPassword/],
    [
      'an authority that did not sign',
      () => ({ TC_KAFKA_TLS_CA: join(dir, 'other.pem') }),
      'kafka_tls',
      /kafka\.tlsCa/,
    ],
    ['no encryption', () => ({ TC_KAFKA_TLS: 'off', TC_KAFKA_TLS_CA: '' }), 'kafka_unreachable', /kafka\.tls/],
    ['a file that is not there', () => ({ TC_KAFKA_TLS_CA: join(dir, 'none.pem') }), 'bad_settings', /kafka\.tlsCa/],
  ])('with %s is a failure that names the setting, and no password', async (_what, more, name, said) => {
    const other = await createAuthority();
    writeFileSync(join(dir, 'other.pem'), other.ca);
    await other.remove();
    const checks = await look(settings(kafka.brokers, { ...secure, ...more() }));
    const check = named(checks, name);
    expect(check.outcome).toBe('failure');
    expect(check.sentence).toMatch(said);
    expect(JSON.stringify(checks)).not.toContain('fake-password');
  });

  it('where our user may not create topics, or join a group, says so', async () => {
    const env = settings(kafka.brokers, { ...secure, ...as('nobody') });
    const checks = await look(env);
    const refused = checks.filter(({ outcome }) => outcome === 'failure');
    expect(refused.map(({ name }) => name)).toContain('kafka_not_authorised');
    expect(refused.map(({ sentence }) => sentence).join('\n')).toMatch(/asking whether topic ".*" may be created/);
    const admin = await administrator.admin();
    await admin.createAcls({
      acl: [
        {
          ...{ resourceType: AclResourceTypes.CLUSTER, resourceName: 'kafka-cluster', host: '*' },
          ...{ resourcePatternType: ResourcePatternTypes.LITERAL, principal: 'User:nobody' },
          ...{ operation: AclOperationTypes.CREATE, permissionType: AclPermissionTypes.ALLOW },
        },
      ],
    });
    expect(named(await look(env), 'kafka_topics').outcome).toBe('ok');
  });
});
