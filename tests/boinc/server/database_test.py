# SPDX-License-Identifier: Apache-2.0
"""sparkmill-result-ids and the wrappers in a folder as make_project leaves it: config.xml, bin/, upload/ with its fan-out, and a
real MariaDB with the tables of BOINC's db/schema.sql as far as they matter here. The calls are those of BOINC's
script_validator and script_assimilator. Skipped without mariadb-server (77).

usage: database_test.py ROOT BIN
"""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.sax.saxutils

ROOT, BIN = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
sys.path.insert(0, str(ROOT / "tests/boinc/app"))
from slot import template_file  # noqa: E402

SERVER = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
INSTALL = shutil.which("mariadb-install-db")
CLIENT = shutil.which("mariadb") or shutil.which("mysql")
if not (SERVER and INSTALL and CLIENT):
    print("skipped: no MariaDB server (package mariadb-server)")
    sys.exit(77)

PASSWORD = "p&w<d>' \"x"
# Names and types of BOINC's tables (db/schema.sql of the server), the columns that its daemons fill in for a result's way.
SCHEMA = """
create table user (id integer not null auto_increment, create_time integer not null, email_addr varchar(254) not null,
  name varchar(254), authenticator varchar(254), total_credit double not null, expavg_credit double not null,
  expavg_time double not null, teamid integer not null, cross_project_id varchar(254) not null,
  passwd_hash varchar(254) not null, primary key (id)) engine=InnoDB;
create table host (id integer not null auto_increment, create_time integer not null, userid integer not null,
  rpc_seqno integer not null, rpc_time integer not null, total_credit double not null, expavg_credit double not null,
  expavg_time double not null, host_cpid varchar(254), primary key (id)) engine=InnoDB;
create table workunit (id integer not null auto_increment, create_time integer not null, appid integer not null,
  name varchar(254) not null, xml_doc blob, batch integer not null, canonical_resultid integer not null,
  canonical_credit double not null, error_mask integer not null, assimilate_state integer not null,
  min_quorum integer not null, target_nresults integer not null, result_template_file varchar(63) not null,
  primary key (id)) engine=InnoDB;
create table result (id integer not null auto_increment, create_time integer not null, workunitid integer not null,
  server_state integer not null, outcome integer not null, client_state integer not null, hostid integer not null,
  userid integer not null, report_deadline integer not null, sent_time integer not null, received_time integer not null,
  name varchar(254) not null, cpu_time double not null, xml_doc_in blob, xml_doc_out blob, stderr_out blob,
  batch integer not null, validate_state integer not null, granted_credit double not null, random integer not null,
  appid integer not null, exit_status integer not null, elapsed_time double not null, primary key (id),
  unique key result_name (name)) engine=InnoDB;
insert into user values (3, 1, 'vol@example.org', 'Vol', 'x', 0, 0, 0, 0, 'y', 'z'), (4, 1, 'two@example.org', 'Two', 'x', 0, 0, 0, 0, 'y', 'z');
insert into host values (70, 1, 3, 1, 1, 0, 0, 0, 'c'), (71, 1, 4, 1, 1, 0, 0, 0, 'd');
"""
failures = []


def expect(what, truth, more=""):
    print(("ok      " if truth else "FAILED  ") + what + ("" if truth else ": %s" % (more,)), flush=True)
    if not truth:
        failures.append(what)


def call(*args, **more):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=600, **more)


top = pathlib.Path(tempfile.mkdtemp(prefix="sparkmill-db-"))
os.chmod(top, 0o755)
project = top / "projects" / "demo"
socket_file = top / "db.sock"
server = None


def fan_out(name):
    """BOINC's dir_hier_path: the middle of the MD5, modulo uldl_dir_fanout, in hex."""
    return "%x" % (int(hashlib.md5(name.encode()).hexdigest()[1:8], 16) % 1024)


def start_database():
    data = top / "db"
    data.mkdir()
    user = []
    if os.geteuid() == 0:  # as Debian's own user
        shutil.chown(data, "mysql", "mysql")
        shutil.chown(top, "mysql", "mysql")
        user = ["--user=mysql"]
    made = call(INSTALL, "--no-defaults", "--datadir=%s" % data, "--auth-root-authentication-method=normal", "--skip-test-db", *user)
    if made.returncode != 0:
        print("skipped: mariadb-install-db does not work here: " + made.stdout[-500:] + made.stderr[-500:])
        sys.exit(77)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(top / "db.log", "w")
    child = subprocess.Popen([SERVER, "--no-defaults", "--datadir=%s" % data, "--socket=%s" % socket_file, "--port=%d" % port,
                              "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M", "--skip-log-bin", *user],
                             stdout=log, stderr=log)
    for _ in range(600):
        if call(CLIENT, "--no-defaults", "--socket=%s" % socket_file, "-u", "root", "-e", "select 1").returncode == 0:
            return child, port
        if child.poll() is not None:
            break
        time.sleep(0.1)
    print((top / "db.log").read_text()[-3000:])
    expect("the database starts", False)
    sys.exit(1)


def sql(text, *more):
    done = call(CLIENT, "--no-defaults", "--socket=%s" % socket_file, "-u", "root", *more, input=text)
    if done.returncode != 0:
        print(done.stderr)
        sys.exit(1)
    return done.stdout


try:
    server, port = start_database()
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    sql("create database demo; create user 'boincadm'@'127.0.0.1' identified by '%s'; grant select on demo.* to "
        "'boincadm'@'127.0.0.1';" % quoted)
    sql(SCHEMA, "demo")

    # ---- a project's folder as make_project makes it -----------------------------------------------------------------
    for folder in ("bin", "apps", "download", "upload", "templates", "html/user", "html/inc", "html/ops", "cgi-bin", "keys", "tmp_host"):
        (project / folder).mkdir(parents=True)
    (project / "config.xml").write_text("""<?xml version="1.0" ?>
<boinc>
  <config>
    <upload_dir>%s/upload</upload_dir>
    <uldl_dir_fanout>1024</uldl_dir_fanout>
    <db_name>demo</db_name>
    <db_passwd>%s</db_passwd>
    <db_host>127.0.0.1</db_host>
    <db_user>boincadm</db_user>
    <one_result_per_user_per_wu>1</one_result_per_user_per_wu>
  </config>
</boinc>
""" % (project, xml.sax.saxutils.escape(PASSWORD)))
    done = call(ROOT / "scripts/boinc-project.sh", "install", project, BIN)
    expect("install", done.returncode == 0, done.stdout + done.stderr)
    expect("the script is there with a config.xml", (project / "bin/sparkmill-result-ids").exists())
    env = {**os.environ, "MYSQL_TCP_PORT": str(port), "MYSQL_HOME": str(top), "HOME": str(top)}
    done = call(project / "bin/sparkmill-boinc-work", "init", "--project", project, "--url", "http://boinc.example.org/demo/", "--hold-s", "0")
    expect("init", done.returncode == 0, done.stderr)

    # ---- units, as create.sh would make them --------------------------------------------------------------------------
    rows = template_file(top / "a.pcbt", 512, 2048, 1)
    template_file(top / "b.pcbt", 512, 2048, 2, [(9, rows[7])])
    done = call(project / "bin/sparkmill-boinc-work", "match", "--project", project, "--requests", "face=%s" % (top / "a.pcbt"), "--users",
                "face=%s" % (top / "b.pcbt"), "--predicate", "face.dot>=600", "--tiles", 4, "--quorum", 2, "--print")
    expect("a job of quorum 2", done.returncode == 0, done.stderr)
    unit = json.loads(done.stdout)["units"][0]
    template = "templates/smk_%s_out.xml" % json.loads(done.stdout)["job"]
    expect("its template's name fits the database's column (%d of 63)" % len(template), len(template) <= 63 and (project / template).exists())
    sql("insert into workunit values (11, 1, 1, '%s', '', 0, 0, 0, 0, 0, 2, 2, '%s');" % (unit["name"], template), "demo")
    names, files = [], []
    for k, (user, host) in enumerate([(3, 70), (4, 71)]):
        name = "%s_%d" % (unit["name"], k)
        names.append(name)
        sql("insert into result values (%d, 1, 11, 5, 1, 5, %d, %d, 1, 1, 1, '%s', 1, '', '', '', 0, 0, 0, 5, 1, 0, 1);" %
            (20 + k, host, user, name), "demo")
        slot = top / ("slot%d" % k)
        slot.mkdir()
        for f in unit["files"]:
            shutil.copy(f["path"], slot / f["open_name"])
        app = BIN / "sparkmill-boinc"
        if not app.exists():
            print("skipped: sparkmill-boinc was not built (package libboinc-app-dev)")
            sys.exit(77)
        done = call(app, "--result-name", name, "--key", slot / "own.key", cwd=slot)
        expect("result %d is computed" % k, done.returncode == 0, done.stderr)
        output = name + "_r%d_0" % (1000 + k)
        folder = project / "upload" / fan_out(output)
        folder.mkdir(exist_ok=True)
        shutil.copy(slot / "result", folder / output)
        files.append(folder / output)

    # ---- who is it: from the database --------------------------------------------------------------------------------
    ids = project / "bin/sparkmill-result-ids"
    for name, wanted in zip(names, ("3\t70\n", "4\t71\n")):
        done = call(ids, name, env=env)
        expect("user and host of %s" % name[-2:], done.returncode == 0 and done.stdout == wanted, done.stdout + done.stderr)
    expect("an unknown result has none", call(ids, names[0] + "9", env=env).returncode == 1)
    expect("a name that is none is not asked for", call(ids, "x' or '1'='1", env=env).returncode == 2 and call(ids, env=env).returncode == 2)
    expect("the password is not in the command", PASSWORD not in (project / "bin/sparkmill-result-ids").read_text())
    shown = call("sh", "-x", ids, names[0], env=env).stderr
    expect("nor among the client's arguments", not any(PASSWORD in line for line in shown.splitlines() if "--batch" in line and "MYSQL_PWD" not in line), shown)

    # ---- the calls of script_validator and script_assimilator, by a shell, in the daemon's folder --------------------
    def daemon(command):
        return subprocess.run(["sh", "-c", command], cwd=project / "tmp_host", capture_output=True, text=True, timeout=300, env=env)

    for k in 0, 1:
        done = daemon("../bin/sparkmill_init %s" % files[k])
        expect("init of result %d exits with 0" % k, done.returncode == 0, done.stderr)
    done = daemon("../bin/sparkmill_compare %s %s" % tuple(files))
    expect("compare exits with 0", done.returncode == 0, done.stderr)
    done = daemon("../bin/sparkmill_assimilate 11 %s" % files[0])
    expect("assimilate exits with 0", done.returncode == 0, done.stderr)
    receipts = {n: (project / "sparkmill/public/receipts" / (n + ".receipt")) for n in names}
    for k, (user, host) in enumerate([(3, 70), (4, 71)]):
        there = receipts[names[k]].exists()
        data = receipts[names[k]].read_bytes() if there else bytes(300)
        number = lambda at: int.from_bytes(data[at:at + 8], "little")  # noqa: E731
        flags = int.from_bytes(data[6:8], "little")
        expect("receipt %d names user %d and host %d of the database, confirmed, of a quorum" % (k, user, host),
               there and flags == 3 and number(184) == user and number(192) == host, (there, flags, number(184), number(192)))
    damaged = files[0].with_name(names[0] + "_r9_0")
    damaged.write_bytes(files[0].read_bytes()[:-1])
    done = daemon("../bin/sparkmill_init %s" % damaged)
    expect("a damaged file is invalid: 1", done.returncode == 1, (done.returncode, done.stderr))
    done = daemon("../bin/sparkmill_assimilate --error 8 %s 11 0" % unit["name"])
    expect("an error for a unit that is done is taken note of", done.returncode == 0, done.stderr)
    os.rename(project / "bin/sparkmill-boinc-validate", project / "bin/away")
    done = daemon("../bin/sparkmill_init %s" % files[1])
    expect("a missing validator is the server's failure: 3", done.returncode == 3, done.returncode)
    os.rename(project / "bin/away", project / "bin/sparkmill-boinc-validate")

    # ---- a database that is away --------------------------------------------------------------------------------------
    server.terminate()
    server.wait(60)
    server = None
    expect("without the database there are no ids", call(ids, names[0], env=env).returncode == 1)
finally:
    if server:
        server.kill()
        server.wait()
    shutil.rmtree(top, ignore_errors=True)

sys.exit(1 if failures else 0)
