"""The str accessor and numbers of text."""

CASE = """
p["s"].str.lower()
p["s"].str.upper()
p["s"].str.title()
p["s"].str.capitalize()
p["s"].str.swapcase()
p["s"].str.casefold()
p["k"].str.lower().str.len()
p.assign(u=p["s"].str.upper())[["u", "k"]]
p.groupby(p["s"].str[:1].fillna("-"))["i"].count()
"""

ENDS = """
p["s"].str.strip()
p["s"].str.strip("ste")
p["s"].str.lstrip("s")
p["s"].str.rstrip("t")
p["s"].str.lstrip()
p["s"].str.rstrip(to_strip="")
p["s"].str.removeprefix("t")
p["s"].str.removeprefix("")
p["s"].str.removesuffix("bytes")
p["s"].str.startswith("t")
p["s"].str.startswith("thirteen")
p["s"].str.startswith(("t", "sh", "é"))
p["s"].str.startswith("t", na=True)
p["s"].str.startswith("twelve", na=False)
p["s"].str.startswith("")
p["s"].str.startswith(())
p["s"].str.endswith("s")
p["s"].str.endswith(("s", "t"), na=True)
p["k"].str.endswith("")
p[p["s"].str.startswith("t")]
p[~p["s"].str.endswith("t")]
"""

MATCHING = """
p["s"].str.contains("e")
p["s"].str.contains("t.*e")
p["s"].str.contains("T", case=False)
p["s"].str.contains("T", case=False, regex=False)
p["s"].str.contains("t|s", na=True)
p["s"].str.contains(".", regex=False)
p["s"].str.contains("te", regex=False, na=True)
p["s"].str.contains("")
p["s"].str.contains("^t")
p["s"].str.contains("t$")
p["s"].str.contains("é", flags=2)
p["s"].str.contains("(?i)SHORT")
p["s"].str.contains(r"\\bin\\w+e\\b")
p["s"].str.contains(r"[a-f]{1,2}t")
p["s"].str.match("t")
p["s"].str.match("h|t")
p["s"].str.match("T", case=False)
p["s"].str.match("^t.*s$", na=True)
p["s"].str.fullmatch("twelve bytes")
p["s"].str.fullmatch("t|twelve bytes|")
p["s"].str.fullmatch("SHORT", case=False)
p["s"].str.fullmatch("SHORT", flags=2)
p["s"].str.count("e")
p["s"].str.count("[aeiou]")
p["s"].str.count("E", flags=2)
p[p["s"].str.contains("short", regex=False)]["x"].sum()
"""

REPLACING = """
p["s"].str.replace("e", "E")
p["s"].str.replace("e", "", n=1)
p["s"].str.replace("", "-")
p["s"].str.replace("", "-", n=3)
p["s"].str.replace("E", "<>", case=False)
p["s"].str.replace({"e": "3", "t": "7"})
p["s"].str.replace("[aeiou]", "*", regex=True)
p["s"].str.replace("([aeiou])(.)", r"<\\2\\1>", regex=True)
p["s"].str.replace("(?P<v>[aeiou])", r"<\\g<v>>", regex=True)
p["s"].str.replace("[aeiou]", "*", n=2, regex=True)
p["s"].str.replace("e*", "-", regex=True)
p["s"].str.replace(r"\\s+", " ", regex=True)
p["s"].str.replace("^t", "T", regex=True)
p["s"].str.replace(r"(?i)T", "+", regex=True)
p["s"].str.replace("T", "+", regex=True, flags=2)
p["s"].str.slice_replace(1, 3, "**")
p["s"].str.slice_replace(stop=2, repl="**")
p["s"].str.slice_replace(start=-2)
p["s"].str.slice_replace(3, 1, "|")
p["s"].str.translate({101: "EE", 116: None, 233: "e"})
p["s"].str.translate(str.maketrans("abc", "xyz"))
"""

PARTS = """
p["s"].str[0]
p["s"].str[-1]
p["s"].str.get(3)
p["s"].str.get(-20)
p["s"].str[1:3]
p["s"].str[:4]
p["s"].str[-3:]
p["s"].str[:-2]
p["s"].str[5:2]
p["s"].str[::2]
p["s"].str[::-1]
p["s"].str[5:0:-2]
p["s"].str.slice(1)
p["s"].str.slice(stop=3)
p["s"].str.slice(-4, -1)
p["s"].str.slice(start=1, stop=8, step=3)
p["s"].str.extract("([aeiou])(.)?")
p["s"].str.extract("(?P<word>[a-z]+) (?P<next>[a-z]+)")
p["s"].str.extract("(t.)")
p["s"].str.extract("(t.)", expand=False)
p["s"].str.extract("(?P<first>[a-z])", expand=False)
p["s"].str.extract("(T)", flags=2)
p["s"].str.partition()
p["s"].str.partition("te")
p["s"].str.rpartition("e")
p["s"].str.rpartition(sep=" ")
q = p[["k"]]; q[["a", "b", "c"]] = p["s"].str.partition(" "); q
p["s"].str.split().str.len()
p["s"].str.split("t").str.len()
p["s"].str.split("te", regex=False).str.len()
p["s"].str.split(r"[te]").str.len()
p["s"].str.rsplit("t", n=1).str.len()
"""

LENGTHS = """
p["s"].str.len()
p["s"].str.len().sum()
p["s"].str.find("e")
p["s"].str.find("te", 2)
p["s"].str.find("e", 1, 6)
p["s"].str.find("e", -5, -1)
p["s"].str.find("")
p["s"].str.rfind("e")
p["s"].str.rfind("e", start=1, end=7)
p["s"].str.rfind("")
p["s"].str.index("")
p["s"].str.rindex("")
p["s"].str.pad(8)
p["s"].str.pad(8, side="right", fillchar="*")
p["s"].str.pad(9, side="both", fillchar="é")
p["s"].str.center(10, "-")
p["s"].str.center(7)
p["s"].str.ljust(9, "_")
p["s"].str.rjust(9)
p["s"].str.zfill(8)
p["s"].str.repeat(2)
p["s"].str.repeat(0)
p["s"].str.join("-")
p["s"].str.cat(p["k"])
p["s"].str.cat(p["k"], sep=" / ")
p["s"].str.cat([p["k"], p["s"]], sep="-", na_rep="?")
p["s"].str.cat(p[["k", "s"]], na_rep="")
p["s"].str.normalize("NFC")
p["s"].str.normalize("NFD")
p["s"].str.normalize("NFKC")
p["s"].str.normalize("NFKD")
p["s"].str.encode("utf-8")
p["s"].str.encode("utf8").str.decode("utf8")
p["s"].str.encode("utf8").str.len()
"""

WRAPPED = """
p["s"].str.wrap(6)
p["s"].str.wrap(3)
p["s"].str.wrap(1)
p["k"].str.wrap(4, break_long_words=False)
(p["s"] + "-" + p["k"] + "  end. Now").str.wrap(9)
(p["s"] + "-wise -- " + p["k"]).str.wrap(8, break_on_hyphens=False)
(p["s"] + "\\t\\n" + p["k"]).str.wrap(10, expand_tabs=False, replace_whitespace=False)
(p["s"] + "\\tand  then").str.wrap(7, drop_whitespace=False, tabsize=3)
(p["s"] + " it is. So").str.wrap(12, initial_indent="* ", subsequent_indent="  ", fix_sentence_endings=True)
(p["s"] + " " + p["s"] + " " + p["k"]).str.wrap(9, max_lines=2)
(p["s"] + " more words").str.wrap(8, max_lines=1, placeholder="...")
p["s"].str.get_dummies(sep=" ")
p["s"].str.get_dummies("t", dtype=bool)
p["k"].str.get_dummies()
p["s"].str.get_dummies("te", dtype="float32")
"""

KINDS = """
p["s"].str.isalnum()
p["s"].str.isalpha()
p["s"].str.isascii()
p["s"].str.isdecimal()
p["s"].str.isdigit()
p["s"].str.isnumeric()
p["s"].str.isspace()
p["s"].str.islower()
p["s"].str.isupper()
p["s"].str.istitle()
p["k"].str.isupper()
p["k"].str.istitle()
"""

NUMBERS = """
pd.to_numeric(p["x"])
pd.to_numeric(p["i"], errors="coerce")
pd.to_numeric(p["b"])
pd.to_numeric(p["x"].astype("str"))
"""
