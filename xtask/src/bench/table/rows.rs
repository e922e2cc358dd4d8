//! The figures: where each is measured, what is wanted of it, and what bounds it where it is not reached.

use super::lines::Cell;

pub const KAFKA: &str = "kafka";
pub const FLOOR: &str = "floor";
/// The default: what `acks=all` acknowledges is on the disk.
pub const SYNCED: &str = "monedula";
/// Kafka's way.
pub const REPLICATED: &str = "monedula-replicated";
/// What is measured while nothing is served.
pub const MACHINE: &str = "machine";
/// Latency that is wanted whatever another broker's is.
const TAIL_MS: f64 = 10.0;
const THIRD: f64 = 1.0 / 3.0;

/// What is wanted of a figure.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// At most this share of the other subject's figure.
    AtMost(f64, &'static str),
    /// At least so many times the other subject's figure.
    AtLeast(f64, &'static str),
    /// Below a fixed value.
    Below(f64),
}

use Wanted::{AtLeast, AtMost, Below};

/// A figure.
pub struct Row {
    pub what: &'static str,
    pub from: Cell,
    pub field: &'static str,
    /// What a value is multiplied with.
    pub scale: f64,
    pub wanted: &'static [Wanted],
    /// The most of all runs counts, not the median.
    pub most: bool,
    /// What bounds a subject's figure: told where it is not reached. In braces stand measured figures: those of `LIMITS` by
    /// name, `floor` and `kafka` (this row's), `floor/kafka`, `alone` and `beside` (the machine's hiccups at this
    /// row's quantile, and at its rate beside the floor), and, of the figure itself, `as flushes` (milliseconds),
    /// `flushes each` and `each flush` (so many a second), and `retries each` (of transactions).
    pub bounds: &'static [(&'static str, &'static str)],
}

const fn row(
    what: &'static str,
    suite: &'static str,
    cell: &'static str,
    field: &'static str,
    wanted: &'static [Wanted],
) -> Row {
    Row { what, from: Cell { suite, cell }, field, scale: 1.0, wanted, most: false, bounds: &[] }
}

/// A row in milliseconds of a field in microseconds.
const fn millis(row: Row) -> Row {
    Row { scale: 0.001, ..row }
}

const fn bounded(row: Row, bounds: &'static [(&'static str, &'static str)]) -> Row {
    Row { bounds, ..row }
}

/// A latency.
const fn tail(what: &'static str, rate: &'static str, field: &'static str, wanted: &'static [Wanted]) -> Row {
    millis(row(what, "tail", rate, field, wanted))
}

const PLAIN: &str = "acks=-1,size=1024,parts=6,codec=none";
const SHORT: &str = "acks=-1,size=100,parts=6,codec=none";
const PACKED: &str = "acks=-1,size=100,parts=6,codec=lz4";
const MANY: &str = "acks=-1,size=1024,parts=1000,codec=none";
const PRODUCE: &str = "short-produce";
const CONSUME: &str = "short-consume";
const CPU: &str = "cpu_s_per_gib";
const RATE: &str = "mib_s";
const TENTH_AND_TAIL: &[Wanted] = &[AtMost(0.1, KAFKA), Below(TAIL_MS)];
const A_TENTH: &[Wanted] = &[AtMost(0.1, KAFKA)];
const A_THIRD: &[Wanted] = &[AtMost(THIRD, KAFKA)];
const NO_MORE: &[Wanted] = &[AtMost(1.0, KAFKA)];
const THRICE: &[Wanted] = &[AtLeast(3.0, KAFKA)];
const THRICE_AND_FLOOR: &[Wanted] = &[AtLeast(3.0, KAFKA), AtLeast(0.6, FLOOR)];

const FULL_WINDOW: (&str, &str) = (
    SYNCED,
    "a reader sees a record before it is flushed, but while as many requests as the generator sends ahead wait for their \
     flush, what is due waits with them. Alone, a flush takes {flush p50} ms at p50 and {flush p99} ms at p99: this is \
     {as flushes} flushes at p50.",
);
const HICCUPS: (&str, &str) = (
    REPLICATED,
    "as often as that, the machine lets a thread wait {alone} ms on a core of its own, and {beside} ms beside the floor at this \
     rate; the floor has {floor} ms.",
);
const HICCUPS_AND_FLUSHES: (&str, &str) = (
    SYNCED,
    "the machine's hiccups ({alone} ms at p99.9 on a core of its own; the floor has {floor} ms), and the flush that \
     requests sent ahead wait for: alone, {flush p99.9} ms at p99.9.",
);
const FLOOR_CPU: (&str, &str) = (
    REPLICATED,
    "the floor, which only receives, checks the checksum and appends, takes ×{floor/kafka} of Kafka's. A node writes back \
     besides, 0.09 s/GiB (design note 10), so that a start after a kill has little to read; for Kafka and the floor the kernel's \
     threads do it, on nobody's account.",
);
const FLUSHED_CPU: (&str, &str) = (
    SYNCED,
    "the floor takes ×{floor/kafka} of Kafka's. And whoever flushes writes back in that call, on its own account: appends of \
     1 MiB take {flushed CPU} s/GiB with a flush of each and {appended CPU} without, which leaves the work to the \
     kernel's threads, on nobody's.",
);
const FLOOR_RATE: (&str, &str) = (
    REPLICATED,
    "the floor has ×{floor/kafka} of Kafka's. It does not write back, which takes the rest of the core (design note 10: without it a \
     node has the floor's rate).",
);
const FLUSHED_RATE: (&str, &str) = (
    SYNCED,
    "the floor has ×{floor/kafka} of Kafka's; one thread that appends 1 MiB and flushes it has {flushed rate} MiB/s of this disk.",
);
const FLUSHED_COMMITS: (&str, &str) = (
    SYNCED,
    "a commit waits for a flush. One writer flushes {flushes} times a second, so that {each flush} commits share one.",
);
const FLUSH_CPU: (&str, &str) =
    (SYNCED, "an append of 4 KiB with its flush takes {flush CPU} µs of CPU alone.");
const FLUSHED_STEPS: (&str, &str) = (
    SYNCED,
    "one flush after the other: of the partitions added, the records, the end decided, the markers. A transaction takes as \
     long as {flushes each} flushes by one writer, who has {flushes} a second. {retries each} times in each, on average, \
     the generator is told that the one before is not completed, and waits a millisecond.",
);
const FLUSHED_FILES: (&str, &str) =
    (SYNCED, "each partition is a file with a flush of its own; one writer has {flushes} a second.");

/// The figures that are to be reached.
pub const REACH: &[Row] = &[
    bounded(
        tail("10,000 records/s of 1 KiB, end to end p99, ms", "rate=10000", "e2e_us.p99", A_TENTH),
        &[HICCUPS, FULL_WINDOW],
    ),
    bounded(tail("… p99.9", "rate=10000", "e2e_us.p999", TENTH_AND_TAIL), &[HICCUPS, HICCUPS_AND_FLUSHES]),
    bounded(
        tail("50,000 records/s of 1 KiB, end to end p99, ms", "rate=50000", "e2e_us.p99", A_TENTH),
        &[HICCUPS, FULL_WINDOW],
    ),
    bounded(tail("… p99.9", "rate=50000", "e2e_us.p999", TENTH_AND_TAIL), &[HICCUPS, HICCUPS_AND_FLUSHES]),
    bounded(row("produce 1 KiB, CPU s/GiB", PRODUCE, PLAIN, CPU, A_THIRD), &[FLOOR_CPU, FLUSHED_CPU]),
    bounded(row("produce 100 B, CPU s/GiB", PRODUCE, SHORT, CPU, A_THIRD), &[FLOOR_CPU, FLUSHED_CPU]),
    bounded(
        row("produce 100 B lz4, CPU s/GiB", PRODUCE, PACKED, CPU, &[AtMost(0.5, KAFKA)]),
        &[FLOOR_CPU, FLUSHED_CPU],
    ),
    row("consume 1 KiB, CPU s/GiB", CONSUME, PLAIN, CPU, NO_MORE),
    row("consume 100 B, CPU s/GiB", CONSUME, SHORT, CPU, NO_MORE),
    row("consume over 1,000 partitions, MiB/s", CONSUME, MANY, RATE, &[AtLeast(2.0, KAFKA)]),
    row("produce of one record, requests/s", "rpc", "produce", "req_s", THRICE),
    row("… CPU µs", "rpc", "produce", "cpu_us_per_req", A_THIRD),
    row("fetch of one batch, requests/s", "one batch", "fetch", "req_s", THRICE),
    row("… CPU µs", "one batch", "fetch", "cpu_us_per_req", A_THIRD),
    row("fetch at the end, requests/s", "rpc", "fetch", "req_s", THRICE),
    row("… CPU µs", "rpc", "fetch", "cpu_us_per_req", A_THIRD),
    row("metadata, requests/s", "rpc", "metadata", "req_s", THRICE),
    row("… CPU µs", "rpc", "metadata", "cpu_us_per_req", A_THIRD),
    bounded(
        row("commit of an offset, requests/s", "rpc", "offsetcommit", "req_s", THRICE),
        &[FLUSHED_COMMITS],
    ),
    bounded(row("… CPU µs", "rpc", "offsetcommit", "cpu_us_per_req", A_THIRD), &[FLUSH_CPU]),
    bounded(row("transactions/s, 1 producer", "txn", "producers=1", "txn_s", THRICE), &[FLUSHED_STEPS]),
    bounded(row("… CPU ms", "txn", "producers=1", "cpu_ms_per_txn", A_THIRD), &[FLUSH_CPU]),
    bounded(row("transactions/s, 10 producers", "txn", "producers=10", "txn_s", THRICE), &[FLUSHED_STEPS]),
    bounded(row("… CPU ms", "txn", "producers=10", "cpu_ms_per_txn", A_THIRD), &[FLUSH_CPU]),
    bounded(
        row("produce 1 KiB on one core, MiB/s", PRODUCE, PLAIN, RATE, THRICE_AND_FLOOR),
        &[FLOOR_RATE, FLUSHED_RATE],
    ),
    bounded(
        row("produce 100 B on one core, MiB/s", PRODUCE, SHORT, RATE, THRICE_AND_FLOOR),
        &[FLOOR_RATE, FLUSHED_RATE],
    ),
    bounded(
        row("produce over 1,000 partitions, MiB/s", PRODUCE, MANY, RATE, &[AtLeast(10.0, KAFKA)]),
        &[FLUSHED_FILES],
    ),
    row("memory idle, MiB", "idle", "empty, 18 s after the start", "rss", &[Below(32.0)]),
    Row { most: true, ..row("memory under full load, most, MiB", PRODUCE, "", "hwm", &[Below(128.0)]) },
    Row {
        scale: 1000.0,
        ..row("start to the first answer, ms", "startup", "empty", "value", &[Below(100.0)])
    },
    Row {
        scale: 1000.0,
        ..row("create 10,000 partitions, ms", "create", "10,000 partitions", "usable", A_TENTH)
    },
    row("restart after kill -9 with 10 GiB, ms", "restart", "kill -9, 10 partitions", "usable_ms", A_TENTH),
    row(
        "64 producers, 5 requests in flight of each, MiB/s",
        "producers",
        "64, 5 in flight",
        RATE,
        &[AtLeast(0.5, REPLICATED)],
    ),
    row(
        "64 producers, 1 request in flight of each, MiB/s",
        "producers",
        "64, 1 in flight",
        RATE,
        &[AtLeast(0.5, REPLICATED)],
    ),
    row(
        "restart after kill -9 with 10 GiB in 1,000 partitions: first answer, ms",
        "restart",
        "kill -9, 1,000 partitions",
        "answered_ms",
        &[Below(200.0)],
    ),
    row("… every partition", "restart", "kill -9, 1,000 partitions", "usable_ms", &[Below(1000.0)]),
    row(
        "… clean restart: first answer",
        "restart",
        "kill -9, 1,000 partitions",
        "clean_answered_ms",
        &[Below(200.0)],
    ),
];

const STOLEN: &str = "… processor time that the machine's host took meanwhile, ms";

/// Latency of which nothing is wanted: at other rates, and until it is acknowledged, which at the floor and at a node that does
/// not sync means no more than written.
pub const LATENCY: &[Row] = &[
    tail("1,000 records/s of 1 KiB, end to end p99, ms", "rate=1000", "e2e_us.p99", &[]),
    tail("… p99.9", "rate=1000", "e2e_us.p999", &[]),
    tail("… acknowledged p99", "rate=1000", "ack_us.p99", &[]),
    tail("… acknowledged p99.9", "rate=1000", "ack_us.p999", &[]),
    row(STOLEN, "tail", "rate=1000", "stolen_ms", &[]),
    tail("10,000 records/s of 1 KiB, acknowledged p99, ms", "rate=10000", "ack_us.p99", &[]),
    tail("… p99.9", "rate=10000", "ack_us.p999", &[]),
    row(STOLEN, "tail", "rate=10000", "stolen_ms", &[]),
    tail("50,000 records/s of 1 KiB, acknowledged p99, ms", "rate=50000", "ack_us.p99", &[]),
    tail("… p99.9", "rate=50000", "ack_us.p999", &[]),
    row(STOLEN, "tail", "rate=50000", "stolen_ms", &[]),
    tail("100,000 records/s of 1 KiB, end to end p99, ms", "rate=100000", "e2e_us.p99", &[]),
    tail("… p99.9", "rate=100000", "e2e_us.p999", &[]),
    tail("… acknowledged p99", "rate=100000", "ack_us.p99", &[]),
    tail("… acknowledged p99.9", "rate=100000", "ack_us.p999", &[]),
    row(STOLEN, "tail", "rate=100000", "stolen_ms", &[]),
];

/// The machine's hiccups while nothing is served.
pub const ALONE: &str = "hiccups";
const FLUSH: &str = "flush";
/// Followed by the rate's cell.
pub const BESIDE: &str = "hiccups beside the floor, ";
const BESIDE_10_000: &str = "hiccups beside the floor, rate=10000";
const BESIDE_50_000: &str = "hiccups beside the floor, rate=50000";

/// What the machine allows, each with the name that it has in `bounds`.
pub const LIMITS: &[(&str, Row)] = &[
    (
        "hiccup p99",
        millis(row(
            "the machine's own hiccups: how late a thread is that wants to run every 0.1 ms, nothing else on its core, p99, ms",
            MACHINE,
            ALONE,
            "late_us.p99",
            &[],
        )),
    ),
    ("hiccup p99.9", millis(row("… p99.9", MACHINE, ALONE, "late_us.p999", &[]))),
    ("hiccup worst", Row { most: true, ..millis(row("… worst", MACHINE, ALONE, "late_us.max", &[])) }),
    (
        "beside 10,000 p99",
        millis(row(
            "… beside the floor at 10,000 records/s, p99",
            MACHINE,
            BESIDE_10_000,
            "late_us.p99",
            &[],
        )),
    ),
    ("beside 10,000 p99.9", millis(row("… p99.9", MACHINE, BESIDE_10_000, "late_us.p999", &[]))),
    (
        "beside 50,000 p99",
        millis(row(
            "… beside the floor at 50,000 records/s, p99",
            MACHINE,
            BESIDE_50_000,
            "late_us.p99",
            &[],
        )),
    ),
    ("beside 50,000 p99.9", millis(row("… p99.9", MACHINE, BESIDE_50_000, "late_us.p999", &[]))),
    (
        "flushes",
        row("flushes a second (one writer, 4 KiB appended before each)", MACHINE, FLUSH, "flushes_s", &[]),
    ),
    ("flush p50", millis(row("… the append and its flush, p50, ms", MACHINE, FLUSH, "flush_us.p50", &[]))),
    ("flush p99", millis(row("… p99", MACHINE, FLUSH, "flush_us.p99", &[]))),
    ("flush p99.9", millis(row("… p99.9", MACHINE, FLUSH, "flush_us.p999", &[]))),
    ("flush CPU", row("… CPU µs", MACHINE, FLUSH, "cpu_us_per_flush", &[])),
    ("flushed rate", row("appends of 1 MiB, each flushed, MiB/s", MACHINE, FLUSH, "synced_mib_s", &[])),
    ("flushed CPU", row("… CPU s/GiB", MACHINE, FLUSH, "synced_cpu_s_per_gib", &[])),
    ("appended CPU", row("… not flushed, CPU s/GiB", MACHINE, FLUSH, "cpu_s_per_gib", &[])),
];
