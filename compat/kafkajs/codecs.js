// The codecs that kafkajs leaves to others, from packages that need no compiler.
const lz4 = require('lz4js')
const xxh32 = require('lz4js/xxh32.js')
const { ZstdCodec } = require('zstd-codec')

const zstd = new Promise(resolve => ZstdCodec.run(codec => resolve(new codec.Simple())))

// The package marks its blocks as depending on each other, which Kafka's readers refuse; what is sent here is one block.
function independentBlocks(frame) {
  const FLAGS = 4, DESCRIPTOR = 2
  frame[FLAGS] |= 0x20
  frame[FLAGS + DESCRIPTOR] = (xxh32.hash(0, frame, FLAGS, DESCRIPTOR) >> 8) & 0xff
  return frame
}

exports.LZ4 = () => ({
  compress: async encoder => Buffer.from(independentBlocks(lz4.compress(encoder.buffer))),
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})

exports.ZSTD = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer)),
})
