// Microsoft's JDBC driver against `bac2 sim`: java -cp mssql-jdbc.jar SimJdbc.java PORT PASSWORD. Prints a line per check that holds.

import java.math.BigDecimal;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.Arrays;
import java.util.Objects;

public class SimJdbc {
    static String port;
    static String password;

    static Connection login(String password, String options) throws SQLException {
        String url = "jdbc:sqlserver://127.0.0.1:" + port + ";trustServerCertificate=true;loginTimeout=15;" + options;
        return DriverManager.getConnection(url, "sa", password);
    }

    static void equal(Object got, Object wanted) {
        if (!Objects.deepEquals(got, wanted)) {
            throw new AssertionError("got " + got + " instead of " + wanted);
        }
    }

    interface Check {
        void run() throws Exception;
    }

    static boolean failed = false;

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            failed = true;
            System.out.println("FAILED " + name + ": " + error);
        }
    }

    static int one(Connection connection, String text) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(text)) {
            rows.next();
            return rows.getInt(1);
        }
    }

    static void encryption() throws Exception {
        for (String encrypt : new String[] {"false", "true"}) {
            try (Connection connection = login(password, "encrypt=" + encrypt)) {
                equal(one(connection, "SELECT 40 + 2"), 42);
            }
        }
    }

    static void wrongPassword() throws Exception {
        try (Connection connection = login("wrong", "encrypt=false")) {
            throw new AssertionError("logged in");
        } catch (SQLException refused) {
            equal(refused.getErrorCode(), 18456);
        }
    }

    static void prepared() throws Exception {
        String zolw = "Zażółć gęślą jaźń 😀";
        String many = zolw.repeat(50);
        byte[] bytes = new byte[2000];
        Arrays.fill(bytes, (byte) 7);
        try (Connection connection = login(password, "encrypt=false;databaseName=tempdb");
                Statement plain = connection.createStatement()) {
            plain.execute("CREATE TABLE jdbc_types (id int, text nvarchar(100), long nvarchar(max), bytes varbinary(max), "
                    + "number decimal(20, 4), moment datetime2(7), flag bit, big bigint, real float)");
            Timestamp moment = Timestamp.valueOf("2026-11-21 17:50:02.1234567");
            String insert = "INSERT INTO jdbc_types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            try (PreparedStatement statement = connection.prepareStatement(insert)) {
                for (int id = 1; id <= 3; id++) {
                    statement.setInt(1, id);
                    statement.setNString(2, zolw);
                    statement.setString(3, many);
                    statement.setBytes(4, bytes);
                    statement.setBigDecimal(5, new BigDecimal("-1234567.8901"));
                    statement.setTimestamp(6, moment);
                    statement.setBoolean(7, true);
                    statement.setLong(8, Long.MIN_VALUE);
                    statement.setNull(9, Types.DOUBLE);
                    equal(statement.executeUpdate(), 1);
                }
            }
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?, ?")) {
                statement.setString(1, zolw.repeat(3000));
                statement.setBytes(2, new byte[50000]);
                ResultSet rows = statement.executeQuery();
                equal(rows.next(), true);
                equal(rows.getString(1), zolw.repeat(3000));
                equal(rows.getBytes(2), new byte[50000]);
            }
            String query = "SELECT * FROM jdbc_types WHERE id = ?";
            try (PreparedStatement statement = connection.prepareStatement(query)) {
                for (int id = 1; id <= 3; id++) {
                    statement.setInt(1, id);
                    ResultSet rows = statement.executeQuery();
                    equal(rows.next(), true);
                    equal(rows.getNString(2), zolw);
                    equal(rows.getString(3), many);
                    equal(rows.getBytes(4), bytes);
                    equal(rows.getBigDecimal(5), new BigDecimal("-1234567.8901"));
                    equal(rows.getTimestamp(6), moment);
                    equal(rows.getBoolean(7), true);
                    equal(rows.getLong(8), Long.MIN_VALUE);
                    rows.getDouble(9);
                    equal(rows.wasNull(), true);
                    equal(rows.next(), false);
                }
            }
        }
    }

    static void resultsAndWarnings() throws Exception {
        try (Connection connection = login(password, "encrypt=false"); Statement statement = connection.createStatement()) {
            equal(statement.execute("PRINT 'hello' SELECT 1 SELECT 2"), true);
            int sum = 0;
            do {
                ResultSet rows = statement.getResultSet();
                while (rows.next()) {
                    sum = 10 * sum + rows.getInt(1);
                }
            } while (statement.getMoreResults());
            equal(sum, 12);
            try {
                statement.execute("\nSELECT * FROM nothing_there");
                throw new AssertionError("no error");
            } catch (SQLException refused) {
                equal(refused.getErrorCode(), 208);
                equal(refused.getMessage(), "Invalid object name 'nothing_there'.");
            }
            equal(one(connection, "SELECT 3"), 3);
        }
    }

    static void transactions() throws Exception {
        try (Connection connection = login(password, "encrypt=false;databaseName=tempdb");
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_transactions (id int)");
            connection.setAutoCommit(false);
            statement.execute("INSERT INTO jdbc_transactions VALUES (1)");
            connection.rollback();
            statement.execute("INSERT INTO jdbc_transactions VALUES (2)");
            connection.commit();
            connection.setAutoCommit(true);
            equal(one(connection, "SELECT SUM(id) FROM jdbc_transactions"), 2);
        }
    }

    static void cancel() throws Exception {
        try (Connection connection = login(password, "encrypt=false"); Statement statement = connection.createStatement()) {
            Thread later = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    statement.cancel();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            later.start();
            long since = System.nanoTime();
            try {
                statement.execute("WAITFOR DELAY '00:00:30'");
                throw new AssertionError("not cancelled");
            } catch (SQLException cancelled) {
                equal(System.nanoTime() - since < 15_000_000_000L, true);
            }
            later.join();
            equal(one(connection, "SELECT 5"), 5);
        }
    }

    static void outputParameters() throws Exception {
        try (Connection connection = login(password, "encrypt=false");
                CallableStatement call = connection.prepareCall("{call sp_executesql(?, ?, ?, ?)}")) {
            call.setNString(1, "SET @b = @a + 1");
            call.setNString(2, "@a int, @b int OUTPUT");
            call.setInt(3, 41);
            call.registerOutParameter(4, Types.INTEGER);
            call.execute();
            equal(call.getInt(4), 42);
        }
    }

    public static void main(String[] arguments) {
        port = arguments[0];
        password = arguments[1];
        check("encryption", SimJdbc::encryption);
        check("a wrong password", SimJdbc::wrongPassword);
        check("prepared statements and types", SimJdbc::prepared);
        check("results and warnings", SimJdbc::resultsAndWarnings);
        check("transactions", SimJdbc::transactions);
        check("cancel", SimJdbc::cancel);
        check("output parameters", SimJdbc::outputParameters);
        System.exit(failed ? 1 : 0);
    }
}
