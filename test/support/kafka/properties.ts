/** The settings of a broker of one node: KRaft, combined with its controller, small, quick to start. */

export interface BrokerPorts {
  /** What clients are told to connect to: a proxy's port, where one stands in front. */
  advertised: number;
  client: number;
  /** Plain and open, past any proxy: for the broker itself and for tests that look from the side. */
  internal: number;
  controller: number;
}

export interface BrokerSecurity {
  /** Names and passwords. With users the client listener asks for SASL: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  users?: Record<string, string>;
  /** PEM text of the server's certificate and PKCS#8 key. With `ca`, clients must show a certificate that it signed. */
  tls?: { cert: string; key: string; ca?: string };
}

export function brokerProperties(
  folder: string,
  ports: BrokerPorts,
  security: BrokerSecurity,
  config: Record<string, string>,
): string {
  const protocol = `${security.users ? 'SASL_' : ''}${security.tls ? 'SSL' : 'PLAINTEXT'}`;
  const at = (port: number) => `127.0.0.1:${port}`;
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${at(ports.controller)}`,
    listeners: `CLIENT://${at(ports.client)},INTERNAL://${at(ports.internal)},CONTROLLER://${at(ports.controller)}`,
    'advertised.listeners': `CLIENT://${at(ports.advertised)},INTERNAL://${at(ports.internal)}`,
    'listener.security.protocol.map': `CLIENT:${protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': `${folder}/data`,
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // Until the session of a broker that was killed has run out, its successor is kept waiting.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'log.cleaner.dedupe.buffer.size': '8388608',
    ...(security.users ? saslSettings(security.users) : {}),
    ...(security.tls ? tlsSettings(security.tls) : {}),
    ...config,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}

function saslSettings(users: Record<string, string>): Record<string, string> {
  const plainUsers = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const security = 'org.apache.kafka.common.security';
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.client.plain.sasl.jaas.config': `${security}.plain.PlainLoginModule required ${plainUsers.join(' ')};`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': `${security}.scram.ScramLoginModule required;`,
    'listener.name.client.scram-sha-512.sasl.jaas.config': `${security}.scram.ScramLoginModule required;`,
  };
}

function tlsSettings({ cert, key, ca }: { cert: string; key: string; ca?: string }): Record<string, string> {
  const trust = {
    'listener.name.client.ssl.truststore.type': 'PEM',
    'listener.name.client.ssl.truststore.certificates': ca ?? '',
    'listener.name.client.ssl.client.auth': 'required',
  };
  return {
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.certificate.chain': cert,
    'listener.name.client.ssl.keystore.key': key,
    ...(ca === undefined ? {} : trust),
  };
}
