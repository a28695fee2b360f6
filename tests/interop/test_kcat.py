"""kcat, librdkafka's own command line."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.interop


@pytest.fixture
def run_kcat(kcat: str, cluster):
    def run(*arguments: str, stdin: str = "") -> str:
        command = [kcat, "-b", cluster.bootstrap, "-q", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout

    return run


def test_metadata_names_the_topics_and_their_leaders(run_kcat, cluster) -> None:
    topic = cluster.new_topic(partitions=3)

    metadata = json.loads(run_kcat("-L", "-J", "-t", topic))

    [described] = metadata["topics"]
    broker_ids = {broker["id"] for broker in metadata["brokers"]}
    assert {partition["partition"] for partition in described["partitions"]} == {0, 1, 2}
    assert {partition["leader"] for partition in described["partitions"]} <= broker_ids


def test_lines_come_back_in_order_with_keys_and_headers(run_kcat, cluster) -> None:
    topic = cluster.new_topic()
    lines = [f"key{number}:value {number}" for number in range(200)]

    run_kcat("-P", "-t", topic, "-K:", "-H", "origin=kcat", stdin="\n".join(lines) + "\n")
    read = run_kcat("-C", "-t", topic, "-o", "beginning", "-e", "-f", "%k:%s|%h|%o\n").splitlines()

    assert read == [f"{line}|origin=kcat|{offset}" for offset, line in enumerate(lines)]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_is_kept_as_it_came(run_kcat, cluster, codec: str) -> None:
    topic = cluster.new_topic()
    lines = ["abc" * 50 + str(number) for number in range(100)]

    run_kcat("-P", "-t", topic, "-z", codec, stdin="\n".join(lines) + "\n")

    assert run_kcat("-C", "-t", topic, "-o", "beginning", "-e").splitlines() == lines


def test_null_values_stay_null(run_kcat, cluster) -> None:
    topic = cluster.new_topic()

    run_kcat("-P", "-t", topic, "-K:", "-Z", stdin="gone:\nhere:x\n")

    assert run_kcat("-C", "-t", topic, "-e", "-f", "%k=%S\n").splitlines() == ["gone=-1", "here=1"]


def test_offsets_by_position(run_kcat, cluster) -> None:
    topic = cluster.new_topic()
    run_kcat("-P", "-t", topic, stdin="a\nb\nc\n")

    offsets = json.loads(run_kcat("-Q", "-J", "-t", f"{topic}:0:-1", "-t", f"{topic}:0:-2"))

    assert offsets[topic]["0"]["offset"] in (0, 3)
    assert run_kcat("-C", "-t", topic, "-o", "-1", "-e") == "c\n"


def test_a_topic_is_made_on_first_use(run_kcat, cluster) -> None:
    run_kcat("-P", "-t", f"first-use-{id(cluster)}", stdin="hello\n")

    assert run_kcat("-C", "-t", f"first-use-{id(cluster)}", "-o", "beginning", "-e") == "hello\n"


def test_a_group_shares_what_it_reads(run_kcat, cluster) -> None:
    topic = cluster.new_topic(partitions=4)
    run_kcat("-P", "-t", topic, "-p", "2", stdin="a\nb\n")

    read = run_kcat("-G", f"group-{topic}", "-X", "auto.offset.reset=earliest", "-e", topic)

    assert read.split() == ["a", "b"]
