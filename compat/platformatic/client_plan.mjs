// What a Node application does with a broker through @platformatic/kafka, asserted step by step: client_plan.mjs BOOTSTRAP
import assert from 'node:assert/strict'
import zlib from 'node:zlib'
import { Admin, Consumer, Producer, ProduceAcks, stringDeserializers, stringSerializers } from '@platformatic/kafka'

const NAME = 'platformatic'
const RECORDS = 300
const BASE = Date.now() - 3_600_000 // within the default retention
const CODECS = ['none', 'gzip', 'snappy', 'lz4', ...(zlib.zstdCompressSync ? ['zstd'] : [])]
const base = { clientId: NAME, bootstrapBrokers: [process.argv[2]] }
const admin = new Admin(base)
let passed = 0
let failed = 0

async function check(what, step) {
  try {
    await step()
    passed++
    console.log('ok', NAME, what)
  } catch (e) {
    failed++
    console.log('FAIL', NAME, `${what}: ${e.stack} ${e.errors ?? ''}`)
  }
}

async function until(truth, what, seconds = 40) {
  const end = Date.now() + seconds * 1000
  while (!(await truth())) {
    assert(Date.now() < end, `waited in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function record(topic, i, partitions) {
  const headers = {}
  for (let h = 0; h < i % 3; h++) headers[`h${h}`] = `header-${i}`
  const message = { topic, partition: i % partitions, value: `value-${i}-${'x'.repeat(i % 97)}`, timestamp: BigInt(BASE + i), headers }
  if (i % 7) message.key = `key-${i}`
  return message
}

const producer = options => new Producer({ ...base, serializers: stringSerializers, acks: ProduceAcks.ALL, ...options })

async function produce(options, topic, from, count, partitions) {
  const p = producer(options)
  const messages = Array.from({ length: count }, (_, i) => record(topic, from + i, partitions))
  const done = await p.send({ messages, acks: ProduceAcks.ALL })
  await p.close()
  return done.offsets
}

const create = (topic, partitions) => admin.createTopics({ topics: [topic], partitions, replicas: 1 })

/** A running consumer that notes what it reads, and commits each record, up to a limit. */
async function member(groupId, topic, options = {}, limit = Infinity) {
  const consumer = new Consumer({ ...base, groupId, deserializers: stringDeserializers, ...options })
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false, maxWaitTime: 200,
    ...(options.groupProtocol ? {} : { sessionTimeout: 10000, heartbeatInterval: 300 }) })
  const m = { got: [], held: () => (consumer.assignments ?? []).find(a => a.topic === topic)?.partitions ?? [],
    close: async () => { stream.pause(); await stream.close(); await m.reading; await consumer.close(true) } }
  m.reading = (async () => {
    for await (const message of stream) {
      if (m.got.length >= limit) return
      m.got.push(message)
      await message.commit()
    }
  })()
  m.reading.catch(() => {}) // told where it is awaited
  return m
}

async function codec(name) {
  const topic = `${NAME}-${name}`
  await create(topic, 3)
  const offsets = await produce({ idempotent: true, compression: name }, topic, 0, RECORDS, 3)
  assert.deepEqual(offsets.map(o => o.offset), [0n, 0n, 0n])
  const m = await member(`${topic}-all`, topic)
  await until(() => m.got.length >= RECORDS, `all records, not ${m.got.length}`)
  for (const got of m.got) {
    const sent = record(topic, Number(got.offset) * 3 + got.partition, 3)
    assert.deepEqual([got.key ?? undefined, got.value, got.timestamp, Object.fromEntries(got.headers)], [sent.key, sent.value, sent.timestamp, sent.headers])
  }
  await m.close()
  const consumer = new Consumer({ ...base, groupId: 'none' })
  assert.deepEqual((await consumer.listOffsets({ topics: [topic] })).get(topic), [100n, 100n, 100n])
  const times = await consumer.listOffsetsWithTimestamps({ topics: [topic], timestamp: BigInt(BASE + 100) })
  assert.equal(times.get(topic).get(1).offset, 33n)
  await consumer.close()
}

async function rebalance(protocol) {
  const topic = `${NAME}-group-${protocol}`
  const options = protocol === 'consumer' ? { groupProtocol: 'consumer' } : {}
  await create(topic, 4)
  const a = await member(topic, topic, options)
  await until(() => a.held().length === 4, 'one member holds all')
  const b = await member(topic, topic, options)
  await until(() => a.held().length === 2 && b.held().length === 2, 'two members share')
  assert.equal(new Set([...a.held(), ...b.held()]).size, 4)
  await produce({}, topic, 0, 100, 4)
  // A record that was in the client's hands when the group rebalanced may come again.
  const places = () => new Set([...a.got, ...b.got].map(m => `${m.partition}@${m.offset}`)).size
  await until(() => places() === 100, 'both read')
  await b.close()
  await until(() => a.held().length === 4, 'the one that is left holds all')
  await produce({}, topic, 100, 100, 4)
  await until(() => places() === 200, 'the one that is left reads all')
  await a.close()
}

async function resume() {
  const topic = `${NAME}-none`
  const groupId = `${NAME}-resume`
  const first = await member(groupId, topic, {}, 50)
  await until(() => first.got.length >= 50, 'fifty records')
  await first.reading
  await first.close()
  const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  const starts = Object.fromEntries(topics.find(t => t.name === topic).partitions.map(p => [p.partitionIndex, Number(p.committedOffset)]))
  assert.equal(Object.values(starts).reduce((x, y) => x + Math.max(0, y)), 50)
  const second = await member(groupId, topic)
  await until(() => second.got.length >= RECORDS - 50, 'the rest')
  await second.close()
  for (const m of second.got) assert(m.offset >= (starts[m.partition] ?? 0), `read again: ${m.partition}@${m.offset}`)
  assert.equal(second.got.length, RECORDS - 50)
}

/** One is aborted: of several of one producer in an answer, the client passes over the last alone. */
async function transactions() {
  const from = `${NAME}-none`
  const to = `${NAME}-transactional`
  await create(to, 1)
  const p = producer({ transactionalId: `${NAME}-id`, idempotent: true })
  const expected = []
  for (let t = 0; t < 9; t++) {
    const transaction = await p.beginTransaction()
    const messages = Array.from({ length: 10 }, (_, i) => ({ topic: to, partition: 0, value: `${from}-${t}-${i}` }))
    await transaction.send({ messages })
    if (t === 4) await transaction.abort()
    else {
      await transaction.commit()
      expected.push(...messages.map(m => m.value))
    }
  }
  await p.close()
  const m = await member(`${to}-all`, to, { isolationLevel: 1 })
  await until(() => m.got.length >= expected.length, 'what was committed')
  await m.close()
  assert.deepEqual(m.got.map(got => got.value), expected)
}

async function groups() {
  const groupId = `${NAME}-resume`
  assert((await admin.listGroups()).has(groupId))
  assert.equal((await admin.describeGroups({ groups: [groupId] })).get(groupId).state.toUpperCase(), 'EMPTY')
  await admin.deleteGroups({ groups: [groupId] })
  assert(!(await admin.listGroups()).has(groupId))
}

await check('describes the cluster', async () => assert.equal((await admin.metadata({})).brokers.size, 1))
for (const name of CODECS) await check(`produces and consumes with ${name}`, () => codec(name))
for (const protocol of ['classic', 'consumer']) await check(`rebalances a group of two, ${protocol}`, () => rebalance(protocol))
await check('commits and resumes', resume)
await check('commits and aborts transactions', transactions)
await check('sees groups and deletes them', groups)
await check('deletes topics', async () => {
  const mine = (await admin.listTopics()).filter(t => t.startsWith(`${NAME}-`))
  await admin.deleteTopics({ topics: mine })
  await until(async () => !(await admin.listTopics()).some(t => mine.includes(t)), 'deleted topics are gone')
})
await admin.close()
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
