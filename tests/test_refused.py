from sisock.fleet.refused import MOST, Refusals, read_refused, refused_file


def test_how_often_and_why_somebody_was_refused_last_is_kept(tmp_path):
    path = refused_file(tmp_path)
    book = Refusals(path)
    book.write()
    assert not path.exists()
    book.note("attic", "its key is another", 1)
    book.note("attic", "it did not sign", 2)
    book.note("cellar", "its key is another", 3)
    book.write()
    assert read_refused(path) == {"attic": (2, 2, "it did not sign"), "cellar": (1, 3, "its key is another")}
    again = Refusals(path)
    again.note("attic", "once more", 4)
    again.write()
    assert read_refused(path)["attic"] == (3, 4, "once more")


def test_what_is_forgotten_is_gone_from_the_file_too(tmp_path):
    book = Refusals(refused_file(tmp_path))
    book.forget("attic")
    assert not refused_file(tmp_path).exists()
    book.note("attic", "its key is another", 1)
    book.write()
    book.forget("attic")
    assert read_refused(refused_file(tmp_path)) == {}
    assert book.of("attic") is None


def test_no_more_names_are_kept_than_there_is_room_for(tmp_path):
    book = Refusals(refused_file(tmp_path))
    for number in range(MOST + 5):
        book.note(f"n{number}", "why", number)
        book.note("often", "why", number)
    book.write()
    kept = read_refused(refused_file(tmp_path))
    assert len(kept) == MOST
    assert "n0" not in kept
    assert kept["often"].times == MOST + 5


def test_a_book_that_cannot_be_read_is_begun_anew(tmp_path):
    path = refused_file(tmp_path)
    path.parent.mkdir(parents=True)
    for text in ("", "[]", "7", '{"a": 1}', '{"a": [1, 2]}', '{"a": ["x", 2, 3]}', "[" * 100_000, "\x00"):
        path.write_text(text)
        assert read_refused(path) == {}
