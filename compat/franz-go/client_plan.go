// client-plan is what a Go application does with a broker through franz-go, asserted step by step: client-plan BOOTSTRAP
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	name    = "franz"
	records = 300
)

var (
	boot   = os.Args[1]
	base   = time.UnixMilli(time.Now().UnixMilli() - 3_600_000) // within the default retention
	codecs = map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	passed, failed int
)

func check(what string, step func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := step(ctx); err != nil {
		failed++
		fmt.Println("FAIL", name, what+":", err)
		return
	}
	passed++
	fmt.Println("ok", name, what)
}

func client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(boot), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		panic(err)
	}
	return cl
}

func record(topic string, i, partitions int) *kgo.Record {
	r := &kgo.Record{
		Topic: topic, Partition: int32(i % partitions), Timestamp: base.Add(time.Duration(i) * time.Millisecond),
		Value: []byte(fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", i%97))),
	}
	if i%7 != 0 {
		r.Key = []byte(fmt.Sprintf("key-%d", i))
	}
	for h := range i % 3 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprintf("h%d", h), Value: []byte(fmt.Sprintf("header-%d", i))})
	}
	return r
}

func same(sent, got *kgo.Record) error {
	ok := bytes.Equal(sent.Key, got.Key) && (sent.Key == nil) == (got.Key == nil) && bytes.Equal(sent.Value, got.Value) &&
		sent.Timestamp.Equal(got.Timestamp) && len(sent.Headers) == len(got.Headers)
	for h := 0; ok && h < len(sent.Headers); h++ {
		ok = sent.Headers[h].Key == got.Headers[h].Key && bytes.Equal(sent.Headers[h].Value, got.Headers[h].Value)
	}
	if !ok {
		return fmt.Errorf("%s-%d@%d differs: sent %+v, got %+v", got.Topic, got.Partition, got.Offset, sent, got)
	}
	return nil
}

func create(ctx context.Context, topic string, partitions int32) error {
	adm := kadm.NewClient(client())
	defer adm.Close()
	if r, err := adm.CreateTopic(ctx, partitions, 1, nil, topic); err != nil || r.Err != nil {
		return errors.Join(err, r.Err)
	}
	for {
		listed, err := adm.ListTopics(ctx, topic)
		if err != nil || len(listed[topic].Partitions) == int(partitions) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func produce(ctx context.Context, cl *kgo.Client, topic string, from, count, partitions int) ([]*kgo.Record, error) {
	var sent []*kgo.Record
	for i := from; i < from+count; i++ {
		sent = append(sent, record(topic, i, partitions))
	}
	return sent, cl.ProduceSync(ctx, sent...).FirstErr()
}

func read(ctx context.Context, cl *kgo.Client, count int) ([]*kgo.Record, error) {
	var got []*kgo.Record
	for len(got) < count {
		fetches := cl.PollRecords(ctx, count-len(got))
		if err := ctx.Err(); err != nil {
			return got, fmt.Errorf("%d of %d records read: %w", len(got), count, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return got, errs[0].Err
		}
		got = append(got, fetches.Records()...)
	}
	if len(got) != count {
		return got, fmt.Errorf("%d records read, not %d", len(got), count)
	}
	return got, nil
}

func produceAndConsume(ctx context.Context, codec string) error {
	topic := name + "-" + codec
	if err := create(ctx, topic, 3); err != nil {
		return err
	}
	cl := client(kgo.ProducerBatchCompression(codecs[codec]), kgo.ProducerLinger(5*time.Millisecond))
	defer cl.Close()
	sent, err := produce(ctx, cl, topic, 0, records, 3)
	if err != nil {
		return err
	}
	type place struct {
		partition int32
		offset    int64
	}
	places := map[place]*kgo.Record{}
	for _, r := range sent {
		places[place{r.Partition, r.Offset}] = r
	}
	start := map[int32]kgo.Offset{0: kgo.NewOffset().AtStart(), 1: kgo.NewOffset().AtStart(), 2: kgo.NewOffset().AtStart()}
	reader := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	defer reader.Close()
	got, err := read(ctx, reader, records)
	if err != nil {
		return err
	}
	for _, r := range got {
		original := places[place{r.Partition, r.Offset}]
		if original == nil {
			return fmt.Errorf("a record nobody sent: %+v", r)
		}
		if err := same(original, r); err != nil {
			return err
		}
	}
	ends, err := kadm.NewClient(reader).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	times, err := kadm.NewClient(reader).ListOffsetsAfterMilli(ctx, base.UnixMilli()+100, topic)
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(topic, 0)
	at, _ := times.Lookup(topic, 1)
	if end.Offset != 100 || at.Offset != 33 {
		return fmt.Errorf("end %d (100), offset of a time %d (33)", end.Offset, at.Offset)
	}
	return nil
}

// member polls in a goroutine of its own and notes what it holds and reads.
type member struct {
	sync.Mutex
	cl   *kgo.Client
	held map[int32]bool
	got  []string
	done chan struct{}
}

func join(group, topic string, balancer kgo.GroupBalancer) *member {
	m := &member{held: map[int32]bool{}, done: make(chan struct{})}
	set := func(holds bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
			if !holds {
				_ = cl.CommitUncommittedOffsets(ctx)
			}
			m.Lock()
			defer m.Unlock()
			for _, p := range parts[topic] {
				if holds {
					m.held[p] = true
				} else {
					delete(m.held, p)
				}
			}
		}
	}
	m.cl = client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(300*time.Millisecond), kgo.SessionTimeout(10*time.Second),
		kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsAssigned(set(true)), kgo.OnPartitionsRevoked(set(false)))
	go func() {
		defer close(m.done)
		for {
			fetches := m.cl.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			m.Lock()
			fetches.EachRecord(func(r *kgo.Record) { m.got = append(m.got, fmt.Sprintf("%d@%d", r.Partition, r.Offset)) })
			m.Unlock()
			_ = m.cl.CommitUncommittedOffsets(context.Background())
			m.cl.AllowRebalance()
		}
	}()
	return m
}

func (m *member) close() {
	m.cl.CloseAllowingRebalance()
	<-m.done
}

func (m *member) counts() (held, got int) {
	m.Lock()
	defer m.Unlock()
	return len(m.held), len(m.got)
}

func until(ctx context.Context, what string, truth func() bool) error {
	for !truth() {
		if ctx.Err() != nil {
			return fmt.Errorf("waited in vain: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func rebalance(ctx context.Context, balancer kgo.GroupBalancer) error {
	topic := name + "-" + balancer.ProtocolName()
	if err := create(ctx, topic, 4); err != nil {
		return err
	}
	cl := client()
	defer cl.Close()
	a := join(topic, topic, balancer)
	holds := func(m *member, n int) func() bool { return func() bool { held, _ := m.counts(); return held == n } }
	if err := until(ctx, "one member holds all", holds(a, 4)); err != nil {
		return err
	}
	b := join(topic, topic, balancer)
	if err := until(ctx, "two members share", func() bool { return holds(a, 2)() && holds(b, 2)() }); err != nil {
		return err
	}
	first, err := produce(ctx, cl, topic, 0, 100, 4)
	if err != nil {
		return err
	}
	readBy := func() int { _, x := a.counts(); _, y := b.counts(); return x + y }
	if err := until(ctx, "both read", func() bool { return readBy() >= 100 }); err != nil {
		return err
	}
	b.close()
	if err := until(ctx, "the one that is left holds all", holds(a, 4)); err != nil {
		return err
	}
	second, err := produce(ctx, cl, topic, 100, 100, 4)
	if err != nil {
		return err
	}
	if err := until(ctx, "the one that is left reads all", func() bool { return readBy() >= 200 }); err != nil {
		return err
	}
	a.close()
	var expected []string
	for _, r := range append(first, second...) {
		expected = append(expected, fmt.Sprintf("%d@%d", r.Partition, r.Offset))
	}
	got := append(a.got, b.got...)
	sort.Strings(expected)
	sort.Strings(got)
	if strings.Join(expected, " ") != strings.Join(got, " ") {
		return fmt.Errorf("read %d records, not each of the 200 once", len(got))
	}
	return nil
}

func resume(ctx context.Context) error {
	topic, group := name+"-none", name+"-resume"
	opts := []kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	cl := client(opts...)
	got, err := read(ctx, cl, 50)
	if err != nil {
		return err
	}
	if err := cl.CommitRecords(ctx, got...); err != nil {
		return err
	}
	cl.Close()
	adm := kadm.NewClient(client())
	defer adm.Close()
	committed, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	var sum int64
	committed.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != 50 {
		return fmt.Errorf("%d committed, not 50", sum)
	}
	cl = client(opts...)
	defer cl.CloseAllowingRebalance()
	rest, err := read(ctx, cl, records-50)
	if err != nil {
		return err
	}
	for _, r := range rest {
		if o, ok := committed.Lookup(topic, r.Partition); ok && r.Offset < o.At {
			return fmt.Errorf("read again: %d@%d", r.Partition, r.Offset)
		}
	}
	return nil
}

func admin(ctx context.Context) error {
	adm := kadm.NewClient(client())
	defer adm.Close()
	listed, err := adm.ListGroups(ctx)
	if err != nil || listed[name+"-resume"].Group == "" {
		return fmt.Errorf("the group is not listed: %v %w", listed, err)
	}
	if err := until(ctx, "the group is empty", func() bool {
		described, err := adm.DescribeGroups(ctx, name+"-resume")
		return err == nil && described[name+"-resume"].State == "Empty"
	}); err != nil {
		return err
	}
	if deleted, err := adm.DeleteGroups(ctx, name+"-resume"); err != nil || deleted[name+"-resume"].Err != nil {
		return fmt.Errorf("%v %w", deleted, err)
	}
	if again, _ := adm.DeleteGroups(ctx, name+"-resume"); !errors.Is(again[name+"-resume"].Err, kerr.GroupIDNotFound) {
		return fmt.Errorf("deleted twice: %v", again)
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return err
	}
	for topic := range topics {
		if strings.HasPrefix(topic, name+"-") {
			if r, err := adm.DeleteTopic(ctx, topic); err != nil || r.Err != nil {
				return errors.Join(err, r.Err)
			}
		}
	}
	return nil
}

func main() {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		check("produces and consumes with "+codec, func(ctx context.Context) error { return produceAndConsume(ctx, codec) })
	}
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()} {
		check("rebalances with "+balancer.ProtocolName(), func(ctx context.Context) error { return rebalance(ctx, balancer) })
	}
	check("commits and resumes", resume)
	check("lists and deletes groups and topics", admin)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
