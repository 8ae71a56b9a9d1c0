from sisock.keys import Key
from sisock.keys.key import ensure_key
from sisock.keys.proof import is_signed, of_node, sign


def test_only_the_private_half_signs_and_only_that_very_text(tmp_path):
    mine, other = ensure_key(tmp_path, "mine"), ensure_key(tmp_path, "other")
    signature = sign(mine, of_node("attic", 7, "abc"))
    assert is_signed(mine.public, of_node("attic", 7, "abc"), signature)
    assert not is_signed(other.public, of_node("attic", 7, "abc"), signature)
    for text in (of_node("cellar", 7, "abc"), of_node("attic", 8, "abc"), of_node("attic", 7, "abd"), ""):
        assert not is_signed(mine.public, text, signature)


def test_senseless_keys_and_signatures_are_no_proof(tmp_path):
    key = ensure_key(tmp_path, "mine")
    for signature in (None, "", "00", "zz" * 64, "00" * 64, 7, b"x", [], sign(key, "other"), sign(key, "text")[:-2]):
        assert not is_signed(key.public, "text", signature)
    for public in (None, "", "00" * 31, "00" * 32, "zz" * 32, 7, key.public.upper()):
        assert not is_signed(public, "text", sign(key, "text"))


def test_a_signature_is_the_one_of_rfc_8032():
    """The first test vector of section 7.1 signs the empty text."""
    key = Key(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    )
    assert sign(key, "") == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
