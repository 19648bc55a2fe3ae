from urllib.request import urlopen

from workbench.demo.server import serving


def test_it_serves_what_lies_there_and_stops(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with serving(tmp_path) as url, urlopen(f"{url}/a.txt") as answer:
        assert answer.read() == b"hello"


def test_a_busy_port_is_no_obstacle(tmp_path):
    with serving(tmp_path) as first:
        port = int(first.rsplit(":", 1)[1])
        with serving(tmp_path, port) as second:
            assert second != first
