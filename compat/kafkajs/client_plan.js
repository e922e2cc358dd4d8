// What a Node application does with a broker through kafkajs, asserted step by step: client_plan.js BOOTSTRAP
const assert = require('node:assert/strict')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const { LZ4, ZSTD } = require('./codecs.js')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = LZ4
CompressionCodecs[CompressionTypes.ZSTD] = ZSTD

const NAME = 'kafkajs'
const RECORDS = 300
const BASE = Date.now() - 3_600_000 // within the default retention
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD }
const kafka = new Kafka({ clientId: NAME, brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
const admin = kafka.admin()
let passed = 0
let failed = 0

async function check(what, step) {
  try {
    await step()
    passed++
    console.log('ok', NAME, what)
  } catch (e) {
    failed++
    console.log('FAIL', NAME, `${what}: ${e.stack}`)
  }
}

async function until(truth, what, seconds = 40) {
  const end = Date.now() + seconds * 1000
  while (!(await truth())) {
    assert(Date.now() < end, `waited in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function record(i, partitions) {
  const headers = {}
  for (let h = 0; h < i % 3; h++) headers[`h${h}`] = `header-${i}`
  return {
    partition: i % partitions, key: i % 7 ? `key-${i}` : null, value: `value-${i}-${'x'.repeat(i % 97)}`,
    timestamp: String(BASE + i), headers,
  }
}

const text = buffer => (buffer === null ? null : buffer.toString())

async function produce(producer, topic, from, count, partitions, compression) {
  const messages = Array.from({ length: count }, (_, i) => record(from + i, partitions))
  return producer.send({ topic, messages, compression, acks: -1 })
}

async function create(topic, numPartitions) {
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true }), true)
}

/** A running consumer that notes what it holds and what it reads, up to a limit. */
async function member(groupId, topic, limit = Infinity) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 300, sessionTimeout: 10000, rebalanceTimeout: 10000 })
  const m = { consumer, held: [], got: [] }
  consumer.on(consumer.events.GROUP_JOIN, e => (m.held = e.payload.memberAssignment[topic] ?? []))
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      if (m.got.length >= limit) return
      m.got.push({ partition, ...message })
      await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }])
    },
  })
  return m
}

async function codec(name) {
  const topic = `${NAME}-${name}`
  await create(topic, 3)
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const acks = await produce(producer, topic, 0, RECORDS, 3, CODECS[name])
  await producer.disconnect()
  assert.deepEqual(acks.map(a => a.baseOffset), ['0', '0', '0'])
  const m = await member(`${topic}-all`, topic)
  await until(() => m.got.length >= RECORDS, `all records, not ${m.got.length}`)
  await m.consumer.disconnect()
  for (const got of m.got) {
    const sent = record(Number(got.offset) * 3 + got.partition, 3)
    assert.deepEqual(
      [text(got.key), text(got.value), got.timestamp, Object.fromEntries(Object.entries(got.headers).map(([k, v]) => [k, text(v)]))],
      [sent.key, sent.value, sent.timestamp, sent.headers])
  }
  const ends = await admin.fetchTopicOffsets(topic)
  assert.deepEqual(ends.map(e => [e.low, e.high]), [['0', '100'], ['0', '100'], ['0', '100']])
  const times = await admin.fetchTopicOffsetsByTimestamp(topic, BASE + 100)
  assert.equal(times.find(t => t.partition === 1).offset, '33')
}

async function rebalance() {
  const topic = `${NAME}-group`
  await create(topic, 4)
  const producer = kafka.producer()
  await producer.connect()
  const a = await member(topic, topic)
  await until(() => a.held.length === 4, 'one member holds all')
  const b = await member(topic, topic)
  await until(() => a.held.length === 2 && b.held.length === 2, 'two members share')
  assert.equal(new Set([...a.held, ...b.held]).size, 4)
  await produce(producer, topic, 0, 100, 4)
  await until(() => a.got.length + b.got.length >= 100, 'both read')
  await b.consumer.disconnect()
  await until(() => a.held.length === 4, 'the one that is left holds all')
  await produce(producer, topic, 100, 100, 4)
  await until(() => a.got.length + b.got.length >= 200, 'the one that is left reads all')
  await a.consumer.disconnect()
  await producer.disconnect()
  const places = [...a.got, ...b.got].map(m => `${m.partition}@${m.offset}`)
  assert.equal(places.length, 200)
  assert.equal(new Set(places).size, 200)
}

async function resume() {
  const topic = `${NAME}-none`
  const groupId = `${NAME}-resume`
  const first = await member(groupId, topic, 50)
  await until(() => first.got.length >= 50, 'fifty records')
  await first.consumer.disconnect()
  const committed = (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions
  const starts = Object.fromEntries(committed.map(p => [p.partition, Math.max(0, Number(p.offset))]))
  assert.equal(Object.values(starts).reduce((x, y) => x + y), 50)
  const second = await member(groupId, topic)
  await until(() => second.got.length >= RECORDS - 50, 'the rest')
  await second.consumer.disconnect()
  for (const m of second.got) assert(Number(m.offset) >= starts[m.partition], `read again: ${m.partition}@${m.offset}`)
  assert.equal(second.got.length, RECORDS - 50)
}

async function groups() {
  const groupId = `${NAME}-resume`
  assert((await admin.listGroups()).groups.some(g => g.groupId === groupId))
  assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Empty')
  await admin.deleteGroups([groupId])
  assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Dead')
}

async function main() {
  await admin.connect()
  await check('describes the cluster', async () => assert.equal((await admin.describeCluster()).brokers.length, 1))
  for (const name of Object.keys(CODECS)) await check(`produces and consumes with ${name}`, () => codec(name))
  await check('rebalances a group of two', rebalance)
  await check('commits and resumes', resume)
  await check('sees groups and deletes them', groups)
  await check('deletes topics', async () => {
    const mine = (await admin.listTopics()).filter(t => t.startsWith(`${NAME}-`))
    await admin.deleteTopics({ topics: mine })
    await until(async () => !(await admin.listTopics()).some(t => mine.includes(t)), 'deleted topics are gone')
  })
  await admin.disconnect()
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}

main()
